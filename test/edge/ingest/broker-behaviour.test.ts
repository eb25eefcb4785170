import { expect, test } from "vitest";
import { brokerStarter } from "./started-broker.ts";
import { WireClient } from "./wire-client.ts";

// What MQTT 3.1.1 clients expect of a broker, with the sink between the publish and its acknowledgement.

const start = brokerStarter();

async function subscribe(client: WireClient, topic: string, qos: 0 | 1 | 2 = 1): Promise<unknown> {
  client.send({ cmd: "subscribe", messageId: 9, subscriptions: [{ topic, qos }] });
  return client.next("suback");
}

test("a retained message comes to later subscribers, marked, and an empty one removes it", async () => {
  const { open, sink } = await start();
  const device = await open({ clientId: "device" });
  device.publish("plant/state", "up", { retain: true });
  await device.next("puback");
  const panel = await open({ clientId: "panel" });
  await subscribe(panel, "plant/+");
  expect(await panel.next("publish")).toMatchObject({ payload: Buffer.from("up"), retain: true });
  device.publish("plant/state", "", { retain: true, messageId: 2 });
  await device.next("puback");
  const late = await open({ clientId: "late" });
  await subscribe(late, "plant/+");
  late.send({ cmd: "pingreq" });
  await late.next("pingresp");
  expect(late.unread).toEqual([]);
  expect(sink.texts()).toEqual(["plant/state up", "plant/state "]);
});

test.each([0, 1, 2] as const)(
  "a will of QoS %i is stored and sent when its client is cut off",
  async (qos) => {
    const { open, sink } = await start();
    const panel = await open({ clientId: "panel" });
    await subscribe(panel, "plant/#", 0);
    const will = { topic: "plant/pump/state", payload: Buffer.from("offline"), qos, retain: false };
    const device = await open({ clientId: "pump", will });
    device.destroy();
    expect(await panel.next("publish")).toMatchObject({ topic: "plant/pump/state" });
    expect(sink.texts()).toEqual(["plant/pump/state offline"]);
    expect(sink.puts[0]?.message).toMatchObject({ client: "pump", packetId: 0, qos });
  },
);

test("a client that says goodbye leaves no will", async () => {
  const { open, sink } = await start();
  const will = { topic: "plant/state", payload: Buffer.from("offline"), qos: 1 as const, retain: false };
  const device = await open({ will });
  device.send({ cmd: "disconnect" });
  await device.closed;
  await open({ clientId: "bystander" });
  expect(sink.puts).toEqual([]);
});

test("a will to a topic of the gateway is refused when it is announced", async () => {
  const { broker, sink, refused } = await start();
  const will = { topic: "sluice/x", payload: Buffer.from("1"), qos: 1 as const, retain: false };
  const device = new WireClient(broker.address);
  device.connect({ will });
  expect(await device.next("connack")).toMatchObject({ returnCode: 5 });
  await device.closed;
  expect(refused()).toEqual({ "connect.will": 1 });
  expect(sink.puts).toEqual([]);
});

test("QoS 2 goes end to end, each message once", async () => {
  const { open } = await start();
  const panel = await open({ clientId: "panel", clean: false });
  expect(await subscribe(panel, "plant/a", 2)).toMatchObject({ granted: [2] });
  const device = await open({ clientId: "device" });
  device.publish("plant/a", "1", { qos: 2, messageId: 5 });
  await device.next("pubrec");
  device.send({ cmd: "pubrel", messageId: 5 });
  await device.next("pubcomp");
  const publish = await panel.next("publish");
  const { messageId } = publish;
  expect(publish).toMatchObject({ qos: 2, payload: Buffer.from("1") });
  if (messageId === undefined) throw new Error("a QoS 2 publish has a packet id");
  panel.send({ cmd: "pubrec", messageId });
  await panel.next("pubrel");
  panel.send({ cmd: "pubcomp", messageId });
  panel.send({ cmd: "pingreq" });
  await panel.next("pingresp");
  expect(panel.unread).toEqual([]);
});

test.each([
  ["plant/+/temp", ["plant/a/temp"]],
  ["plant/#", ["plant/a/temp", "plant/a/b/temp", "plant"]],
  ["+/+/temp", ["plant/a/temp"]],
  ["#", ["plant/a/temp", "plant/a/b/temp", "plant"]],
])("the wildcard %s matches what it should", async (filter, expected) => {
  const { open } = await start();
  const panel = await open({ clientId: "panel" });
  await subscribe(panel, filter, 0);
  const device = await open({ clientId: "device" });
  const seen: string[] = [];
  for (const topic of ["plant/a/temp", "plant/a/b/temp", "plant", "end/of/all/topics"])
    device.publish(topic, "1", { qos: 0 });
  device.publish("plant/last/temp", "1", { qos: 0 });
  for (let topic = ""; topic !== "plant/last/temp";) {
    const packet = await panel.next("publish");
    topic = packet.cmd === "publish" ? packet.topic : "";
    seen.push(topic);
  }
  expect(seen.filter((topic) => topic !== "plant/last/temp" && topic !== "end/of/all/topics")).toEqual(
    expected,
  );
});

test("a second connection with the same client id takes the first one's place", async () => {
  const { open, sink } = await start();
  const first = await open({ clientId: "device" });
  const second = await open({ clientId: "device" });
  await first.closed;
  second.publish("a", "1");
  await second.next("puback");
  expect(sink.texts()).toEqual(["a 1"]);
});

test("a kept session gets what came while its client was away", async () => {
  const { open } = await start();
  const panel = await open({ clientId: "panel", clean: false });
  await subscribe(panel, "plant/a");
  panel.destroy();
  await panel.closed;
  const device = await open({ clientId: "device" });
  device.publish("plant/a", "1");
  await device.next("puback");
  const again = await open({ clientId: "panel", clean: false });
  expect(await again.next("publish")).toMatchObject({ payload: Buffer.from("1"), qos: 1 });
});

test("a session's queue and the retained topics are bounded; what is over is counted, and is in the sink", async () => {
  const { open, refused, sink } = await start({ queuedMessagesMax: 2, retainedTopicsMax: 1 });
  const panel = await open({ clientId: "panel", clean: false });
  await subscribe(panel, "plant/#");
  panel.destroy();
  await panel.closed;
  const device = await open({ clientId: "device" });
  for (let i = 1; i <= 4; i++) {
    device.publish(`plant/${i}`, String(i), { messageId: i, retain: i < 3 });
    await device.next("puback");
  }
  device.send({ cmd: "pingreq" });
  await device.next("pingresp");
  expect(refused()).toEqual({ "subscriber.queue_full": 2, "retain.limit": 1 });
  expect(sink.puts).toHaveLength(4);
  const again = await open({ clientId: "panel", clean: false });
  for (const text of ["1", "2"]) {
    const packet = await again.next("publish");
    expect(packet).toMatchObject({ payload: Buffer.from(text) });
    again.send({ cmd: "puback", messageId: packet.messageId ?? 0 });
  }
  again.send({ cmd: "pingreq" });
  await again.next("pingresp");
  device.publish("plant/5", "5", { messageId: 5 });
  expect(await again.next("publish")).toMatchObject({ payload: Buffer.from("5") });
  expect(refused()["subscriber.queue_full"]).toBe(2);
});

test("large messages that wait or are retained are bounded in bytes too, and room that is left is used again", async () => {
  const { open, refused, sink } = await start({}, { packetBytesMax: 16_777_216 });
  const panel = await open({ clientId: "panel", clean: false });
  await subscribe(panel, "wanted");
  panel.destroy();
  await panel.closed;
  const device = await open({ clientId: "device" });
  const large = Buffer.alloc(6_000_000);
  const send = async (topic: string, retain: boolean, payload = large): Promise<void> => {
    device.publish(topic, payload, { retain });
    await device.next("puback");
    device.send({ cmd: "pingreq" });
    await device.next("pingresp");
  };
  for (let i = 0; i < 3; i++) await send("wanted", false);
  expect(refused()).toEqual({ "subscriber.queue_full": 1 }); // 16 MiB for one session.
  for (let i = 0; i < 6; i++) await send(`kept/${i}`, true);
  expect(refused()).toMatchObject({ "retain.limit": 1 }); // 32 MiB in all.
  await send("kept/0", true);
  await send("kept/0", true, Buffer.alloc(0));
  await send("kept/5", true);
  expect(refused()).toMatchObject({ "retain.limit": 1 });
  expect(sink.puts).toHaveLength(12);
});

test.each(["$SYS/#", "$share/group/plant/#"])(
  "a subscription to %s is refused as a subscription",
  async (filter) => {
    const { open, refused } = await start();
    const panel = await open();
    expect(await subscribe(panel, filter)).toMatchObject({ granted: [128] });
    expect(refused()).toEqual({ "subscribe.reserved": 1 });
    expect(await subscribe(panel, "sluice/#")).toMatchObject({ granted: [1] });
  },
);

test("a SUBSCRIBE of thousands of filters holds nobody up, however few of them are granted", async () => {
  const { open } = await start();
  const subscriptions = Array.from({ length: 26_000 }, (_, i) => ({
    topic: i.toString(36),
    qos: 1 as const,
  }));
  const spentMs: number[] = [];
  for (const clean of [true, false]) {
    const client = await open({ clientId: `panel-${clean}`, clean });
    const startedMs = performance.now();
    client.send({ cmd: "subscribe", messageId: 9, subscriptions });
    await client.next("suback");
    spentMs.push(performance.now() - startedMs);
  }
  const [passing = 0, kept = Infinity] = spentMs;
  expect(kept).toBeLessThan(4 * passing + 500); // Ten times as long and more where each granted one looks at all.
});
