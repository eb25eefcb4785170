import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { generate } from "mqtt-packet";
import { expect, test } from "vitest";
import { createEmbeddedBroker } from "../../../edge/ingest/embedded-broker.ts";
import { ingestSettingsSchema } from "../../../edge/ingest/settings.ts";
import { connectMqtt, OrderedSink } from "../../suites/source-harness.ts";
import { brokerStarter } from "./started-broker.ts";
import { WireClient } from "./wire-client.ts";

const start = brokerStarter();

test("a thousand publishes of one connection are under way together and acknowledged in order", async () => {
  const { broker, sink, open } = await start();
  sink.mode = "hold";
  const client = await open();
  const ids = Array.from({ length: 1_000 }, (_, i) => i + 1);
  client.send(
    ...ids.map((messageId) => ({
      cmd: "publish" as const,
      topic: "a",
      payload: "12345678",
      qos: 1 as const,
      messageId,
      dup: false,
      retain: false,
    })),
  );
  await sink.arrived(1_000);
  expect(client.unread).toEqual([]);
  sink.commit();
  const answers = [];
  for (const _ of ids) answers.push(await client.next("puback"));
  expect(answers.map(({ messageId }) => messageId)).toEqual(ids);
  expect(broker.stats()).toMatchObject({ received: 1_000, acknowledged: 1_000, connections: 1, refused: {} });
});

test("what came in says who sent it, how, and when", async () => {
  const { sink, open } = await start();
  const client = await open({ clientId: "pump-1" });
  const beforeUs = systemClock.nowUs();
  client.publish("plant/pump-1", "1", { messageId: 40_000, dup: true, retain: true });
  await client.next("puback");
  const message = sink.puts[0]?.message;
  expect(message).toMatchObject({ client: "pump-1", packetId: 40_000, qos: 1, dup: true, retain: true });
  expect(message?.receivedAtUs).toBeGreaterThanOrEqual(beforeUs);
  expect(message?.receivedAtUs).toBeLessThanOrEqual(systemClock.nowUs());
});

test("a QoS 0 message that the sink refuses is counted, and the connection stays", async () => {
  const { sink, open, refused, broker } = await start();
  sink.mode = "refuse";
  const client = await open();
  client.publish("a", "1", { qos: 0 });
  client.send({ cmd: "pingreq" });
  await client.next("pingresp");
  expect(refused()).toEqual({ "sink.refused": 1 });
  expect(broker.stats()).toMatchObject({ received: 1, acknowledged: 0, connections: 1 });
});

test("a slow sink slows a QoS 0 publisher down instead of filling memory", async () => {
  const { sink, open, broker } = await start();
  sink.mode = "hold";
  const client = await open();
  for (let i = 0; i < 400; i++) client.publish("a", "x".repeat(16_384), { qos: 0 });
  await sink.arrived(1);
  const other = await open({ clientId: "other" });
  other.send({ cmd: "pingreq" });
  await other.next("pingresp");
  expect(broker.stats().received).toBeLessThan(40);
  sink.commit();
  client.send({ cmd: "pingreq" });
  await client.next("pingresp");
  expect(broker.stats().received).toBe(400);
});

test("one log line tells that the sink began to refuse, however many messages there are", async () => {
  const { sink, open, warnings, refused } = await start();
  sink.mode = "refuse";
  const client = await open();
  for (let i = 0; i < 50; i++) client.publish("a", "1", { qos: 0 });
  client.send({ cmd: "pingreq" });
  await client.next("pingresp");
  expect(refused()).toEqual({ "sink.refused": 50 });
  expect(warnings.filter((warning) => warning.includes("cannot be stored"))).toHaveLength(1);
});

test.each([
  "sluice",
  "sluice/site/alerts/pump",
  "sluice/labels/x",
  "sluice/",
  "$SYS/broker/load",
  "$share/a/b",
])("a device may not publish to %s", async (topic) => {
  const { sink, open, refused, warnings } = await start();
  const client = await open({ clientId: "rogue" });
  client.publish(topic, "1");
  await client.closed;
  expect(client.unread).toEqual([]);
  expect(sink.puts).toEqual([]);
  expect(refused()).toEqual({ "topic.reserved": 1 });
  expect(warnings.join("\n")).toContain(topic);
});

test("a topic that begins with $ is a device's to use, and no wildcard at the first level gets it", async () => {
  const { broker, sink } = await start();
  const panel = await connectMqtt(broker.address);
  const device = await connectMqtt(broker.address);
  const heard: string[] = [];
  panel.on("message", (topic) => heard.push(topic));
  await panel.subscribeAsync(["#", "+/x", "$things/+"]);
  await device.publishAsync("$things/x", "1", { qos: 1 });
  await device.publishAsync("plant/x", "2", { qos: 1 });
  await expect.poll(() => heard).toContain("plant/x");
  expect(new Set(heard)).toEqual(new Set(["$things/x", "plant/x"]));
  expect(heard.filter((topic) => topic === "$things/x")).toHaveLength(1);
  expect(sink.puts.map(({ message }) => message.topic)).toEqual(["$things/x", "plant/x"]);
  await Promise.all([panel.endAsync(true), device.endAsync(true)]);
});

test("labels may be published, and topics that only begin like ours", async () => {
  const { sink, open } = await start();
  const client = await open();
  for (const [i, topic] of ["sluice/labels", "sluices/gate", "plant/sluice/labels"].entries()) {
    client.publish(topic, "1", { messageId: i + 1 });
    await client.next("puback");
  }
  expect(sink.texts()).toEqual(["sluice/labels 1", "sluices/gate 1", "plant/sluice/labels 1"]);
});

/** MQTT 3.1.1 CONNECT: clean session 0, no client id. mqtt-packet refuses to write one. */
const NAMELESS = [0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 0, 0, 0];

test("a session without a name cannot be kept", async () => {
  const { broker, refused, warnings } = await start();
  const client = new WireClient(broker.address);
  client.sendBytes(Uint8Array.from(NAMELESS));
  expect(await client.next("connack")).toMatchObject({ returnCode: 2, sessionPresent: false });
  await client.closed;
  expect(refused()).toEqual({ "connect.client_id": 1 });
  expect(warnings.length).toBeGreaterThan(0);
});

test("an MQTT 5 client is told in its own language that its version is not spoken", async () => {
  const { broker, refused, warnings } = await start();
  const client = new WireClient(broker.address, 5);
  client.sendBytes(mqtt5Connect());
  const unsupportedProtocolVersion = 0x84;
  expect(await client.next("connack")).toMatchObject({
    reasonCode: unsupportedProtocolVersion,
    sessionPresent: false,
  });
  await client.closed;
  expect(refused()).toEqual({ "connect.protocol_version": 1 });
  expect(warnings.join("\n")).toContain("Set the client to MQTT 3.1.1");
});

function mqtt5Connect(): Uint8Array {
  return generate({
    cmd: "connect",
    protocolId: "MQTT",
    protocolVersion: 5,
    clientId: "new",
    clean: true,
    keepalive: 0,
  });
}

test("the hint for MQTT 5 clients comes once per client", async () => {
  const { broker, warnings } = await start();
  for (let i = 0; i < 5; i++) {
    const client = new WireClient(broker.address);
    client.sendBytes(mqtt5Connect());
    await client.closed;
  }
  expect(warnings.filter((warning) => warning.includes("MQTT 3.1.1"))).toHaveLength(1);
});

test("a nameless client with a clean session gets a name", async () => {
  const { sink, open } = await start();
  const client = await open({ clientId: "", clean: true });
  client.publish("a", "1");
  await client.next("puback");
  expect(sink.puts[0]?.message.client).not.toBe("");
});

test("a packet over the limit closes its connection at its header, before its body has come", async () => {
  const { broker, open, refused, sink } = await start({}, { packetBytesMax: 1_024 });
  const client = await open();
  client.sendBytes(Uint8Array.of(0x32, 0xff, 0xff, 0xff, 0x7f)); // A PUBLISH of 268 MB, of which nothing follows.
  await client.closed;
  expect(refused()).toEqual({ "packet.too_large": 1 });
  const unknown = new WireClient(broker.address);
  unknown.sendBytes(Uint8Array.of(0x10, 0x80, 0x80, 0x80, 0x01));
  await unknown.closed;
  expect(refused()).toEqual({ "packet.too_large": 2 });
  expect(sink.puts).toEqual([]);
});

test("a CONNECT may not be as large as other packets: whoever has not said who it is cannot hold memory", async () => {
  const { broker, open, refused } = await start({ willBytesMax: 1_024 }, { packetBytesMax: 16_777_216 });
  const client = await open();
  client.publish("a", Buffer.alloc(1_000_000));
  await client.next("puback");
  const unknown = new WireClient(broker.address);
  unknown.sendBytes(Uint8Array.of(0x10, 0x80, 0x80, 0x02)); // A CONNECT of 32 KiB, of which nothing follows.
  await unknown.closed;
  expect(refused()).toEqual({ "packet.too_large": 1 });
});

test("a packet at the limit is taken, and one byte more is not", async () => {
  const { open, sink, refused } = await start({}, { packetBytesMax: 1_024 });
  const client = await open();
  const bytesMax = 1_024 - 3 - 3 - 2; // Fixed header, topic, packet id.
  client.publish("a", Buffer.alloc(bytesMax));
  await client.next("puback");
  client.publish("a", Buffer.alloc(bytesMax + 1), { messageId: 2 });
  await client.closed;
  expect(sink.puts).toHaveLength(1);
  expect(refused()).toEqual({ "packet.too_large": 1 });
});

test("what is not MQTT closes its connection and is counted", async () => {
  const { broker, refused, open } = await start({ connectTimeoutMs: 100 });
  for (const text of [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "\u0000\u0000\u0000",
    "\u0010\u0004\u0000\u0004MQ",
  ]) {
    const client = new WireClient(broker.address);
    client.sendBytes(Buffer.from(text, "latin1"));
    await client.closed;
  }
  expect(Object.values(refused()).reduce((a, b) => a + b, 0)).toBe(3);
  const client = await open();
  client.publish("a", "1");
  await client.next("puback");
});

test("one connection over the limit is closed, and a place that is free again is taken", async () => {
  const { broker, open, refused } = await start({ connectionsMax: 2 });
  const first = await open({ clientId: "1" });
  await open({ clientId: "2" });
  const third = new WireClient(broker.address);
  await third.closed;
  expect(refused()).toEqual({ "connect.limit": 1 });
  first.destroy();
  await first.closed;
  await expect.poll(() => broker.stats().connections).toBe(1);
  await open({ clientId: "4" });
});

test("a connection that never says CONNECT is closed after its time", async () => {
  const { broker, refused } = await start({ connectTimeoutMs: 100 });
  await new WireClient(broker.address).closed;
  expect(refused()).toEqual({ "connect.timeout": 1 });
});

test("a port in use and an address that is not ours are refused with what to do", async () => {
  const { broker } = await start();
  const source = (settings: object): ReturnType<typeof createEmbeddedBroker> =>
    createEmbeddedBroker({
      settings: ingestSettingsSchema.parse({ broker: settings }),
      sink: new OrderedSink(),
      clock: systemClock,
      log: silentLog,
    });
  await expect(source({ port: Number(broker.address.split(":")[1]) }).start()).rejects.toMatchObject({
    code: "ingest.port_in_use",
    hint: expect.stringContaining("ingest.broker.port"),
  });
  await expect(source({ host: "192.0.2.1", allowAnonymousRemote: true }).start()).rejects.toMatchObject({
    code: "ingest.address_refused",
    hint: expect.stringContaining("ingest.broker.host"),
  });
});

test("a stop closes every connection, and nobody can connect after it", async () => {
  const { broker, open } = await start();
  const client = await open();
  const silent = new WireClient(broker.address);
  await expect.poll(() => broker.stats().connections).toBe(2);
  await broker.stop();
  await Promise.all([client.closed, silent.closed, new WireClient(broker.address).closed]);
  expect(broker.stats().connections).toBe(0);
});

test("while stopping, what comes new is neither stored nor acknowledged, and is counted", async () => {
  const { broker, open, sink, refused } = await start({}, { stopDeadlineMs: 5_000 });
  sink.mode = "hold";
  const client = await open({ clientId: "early" });
  const other = await open({ clientId: "late" });
  client.publish("a", "1");
  await sink.arrived(1);
  const stopped = broker.stop();
  other.publish("a", "2");
  await expect.poll(refused).toEqual({ "publish.stopping": 1 });
  sink.puts[0]?.settled(undefined);
  await stopped;
  await client.next("puback");
  expect(other.unread).toEqual([]);
  expect(sink.puts).toHaveLength(1);
});

test("a stop does not make devices look dead: their wills are not stored", async () => {
  const { broker, open, sink, refused } = await start();
  await open({ will: { topic: "plant/pump/state", payload: Buffer.from("offline"), qos: 1, retain: true } });
  await broker.stop();
  expect(sink.puts).toEqual([]);
  expect(refused()).toEqual({ "will.stopping": 1 });
});
