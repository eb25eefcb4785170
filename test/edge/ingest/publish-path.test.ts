import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import * as fc from "fast-check";
import { generate, type IPublishPacket } from "mqtt-packet";
import { expect, test } from "vitest";
import { GroupCommit } from "../../../edge/buffer/group-commit.ts";
import { brokerStarter } from "./started-broker.ts";
import { WireClient } from "./wire-client.ts";

// Goal: publishes of QoS 0 and 1, which do not go through the broker, keep every promise that those through it keep.

const start = brokerStarter();

const publish = (payload: string, more: Partial<IPublishPacket> = {}): IPublishPacket => ({
  cmd: "publish",
  topic: "plant/a",
  payload,
  qos: 1,
  messageId: 1,
  dup: false,
  retain: false,
  ...more,
});

/** Sees everything that the client sent before this dealt with. */
async function ping(client: WireClient): Promise<void> {
  client.send({ cmd: "pingreq" });
  await client.next("pingresp");
}

async function subscribe(client: WireClient, topic: string, qos: 0 | 1 | 2): Promise<void> {
  client.send({ cmd: "subscribe", messageId: 9, subscriptions: [{ topic, qos }] });
  await client.next("suback");
}

async function received(client: WireClient, count: number): Promise<string[]> {
  const payloads = [];
  for (let i = 0; i < count; i++) {
    const packet = await client.next("publish");
    payloads.push(packet.cmd === "publish" ? String(packet.payload) : "");
  }
  return payloads;
}

const kinds = fc.array(
  fc.record({ qos: fc.constantFrom(0 as const, 1 as const, 2 as const), retain: fc.boolean() }),
  {
    minLength: 1,
    maxLength: 60,
  },
);

test.each([0, 1, 2] as const)(
  "publishes of all kinds in one stream reach the sink and a subscriber of QoS %i in order, wherever it is cut",
  async (subscribed) => {
    const { open, sink, refused } = await start();
    const panel = await open({ clientId: "panel" });
    await subscribe(panel, "plant/#", subscribed);
    let round = 0;
    await fc.assert(
      fc.asyncProperty(kinds, fc.array(fc.nat(), { maxLength: 4 }), async (kinds, places) => {
        const device = await open({ clientId: `device-${round++}` });
        const texts = kinds.map((_, i) => `${round}.${i}`);
        const packets = kinds.map((kind, i) => publish(texts[i] ?? "", { ...kind, messageId: i + 1 }));
        const bytes = Buffer.concat(packets.map((packet) => generate(packet)));
        const ends = [...places.map((place) => place % bytes.length), bytes.length].sort((a, b) => a - b);
        sink.puts.length = 0;
        for (const [i, end] of ends.entries()) device.sendBytes(bytes.subarray(ends[i - 1] ?? 0, end));
        expect(await received(panel, kinds.length)).toEqual(texts);
        expect(sink.texts()).toEqual(texts.map((text) => `plant/a ${text}`));
        const ids = (qos: number): number[] =>
          packets.filter((packet) => packet.qos === qos).map(({ messageId }) => messageId ?? 0);
        for (const messageId of ids(1)) expect(await device.next("puback")).toMatchObject({ messageId });
        for (const messageId of ids(2)) expect(await device.next("pubrec")).toMatchObject({ messageId });
        device.destroy();
        await device.closed;
      }),
      { numRuns: 15 },
    );
    expect(refused()).toEqual({});
  },
);

test("everything may come before the CONNACK, in the same bytes as the CONNECT", async () => {
  const { sink, broker, refused } = await start();
  const client = new WireClient(broker.address);
  const connect = { cmd: "connect" as const, protocolId: "MQTT" as const, protocolVersion: 4 as const };
  client.send(
    { ...connect, clientId: "eager", clean: true, keepalive: 0 },
    ...Array.from({ length: 500 }, (_, i) => publish(String(i), { messageId: i + 1 })),
  );
  await client.next("connack");
  for (let i = 0; i < 500; i++) expect(await client.next("puback")).toMatchObject({ messageId: i + 1 });
  expect(sink.puts).toHaveLength(500);
  expect(refused()).toEqual({});
  client.destroy();
});

test("what comes with a CONNECT that is refused is not stored", async () => {
  const { sink, broker } = await start();
  const client = new WireClient(broker.address);
  // Clean session 0 without a client id.
  client.sendBytes(Uint8Array.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 0, 0, 0));
  client.send(publish("1"));
  expect(await client.next("connack")).toMatchObject({ returnCode: 2 });
  await client.closed;
  expect(sink.puts).toEqual([]);
});

test("a connection that is taken over gets no acknowledgements, nor does its successor get them", async () => {
  const { sink, open, broker } = await start();
  sink.mode = "hold";
  const first = await open({ clientId: "device" });
  first.send(...["1", "2", "3"].map((text, i) => publish(text, { messageId: i + 1 })));
  await sink.arrived(3);
  const second = await open({ clientId: "device" });
  await first.closed;
  second.send(publish("2", { messageId: 2, dup: true }));
  await sink.arrived(4);
  sink.commit();
  expect(await second.next("puback")).toMatchObject({ messageId: 2 });
  await ping(second);
  expect([first.unread, second.unread]).toEqual([[], []]);
  expect(broker.stats()).toMatchObject({ received: 4, acknowledged: 1, refused: {} });
});

test("what was published before the connection broke reaches subscribers, and then the will does", async () => {
  const { sink, open } = await start();
  const panel = await open({ clientId: "panel" });
  await subscribe(panel, "plant/#", 1);
  sink.mode = "hold";
  const will = { topic: "plant/a", payload: Buffer.from("gone"), qos: 1 as const, retain: false };
  const device = await open({ clientId: "device", will });
  device.send(publish("1"), publish("2", { qos: 0 }), publish("3", { messageId: 2, retain: true }));
  await sink.arrived(3);
  device.destroy();
  await sink.arrived(4);
  sink.commit();
  expect(await received(panel, 4)).toEqual(["1", "2", "3", "gone"]);
});

test("DUP is not handed on, and the payload is the subscriber's own", async () => {
  const { open } = await start();
  const panel = await open({ clientId: "panel" });
  await subscribe(panel, "plant/#", 1);
  const device = await open({ clientId: "device" });
  device.send(publish("1", { dup: true }));
  expect(await panel.next("publish")).toMatchObject({ dup: false, payload: Buffer.from("1") });
});

test("QoS 0 goes to an absent session only as far as MQTT keeps it, QoS 1 all of it", async () => {
  const { open } = await start();
  const panel = await open({ clientId: "panel", clean: false });
  await subscribe(panel, "plant/+", 1);
  panel.destroy();
  await panel.closed;
  const device = await open({ clientId: "device" });
  device.send(publish("0", { qos: 0 }), publish("1"), publish("2", { messageId: 2 }));
  for (const _ of [1, 2]) await device.next("puback");
  await ping(device);
  const again = await open({ clientId: "panel", clean: false });
  expect(await received(again, 2)).toEqual(["1", "2"]);
  const other = await open({ clientId: "panel", clean: true }); // Its session ends.
  await subscribe(other, "else", 0);
  device.send(publish("3", { messageId: 3 }));
  await device.next("puback");
  const last = await open({ clientId: "panel", clean: false });
  await ping(last);
  expect(last.unread).toEqual([]);
});

test.each([
  ["messages", { unsettledMessagesMax: 1_000 }],
  ["bytes", { unsettledBytesMax: 14_000 }], // Of 14 bytes each.
])("a slow disk stops the reading of a publisher at its limit of %s, and loses nothing", async (_, limit) => {
  const { sink, open, broker } = await start(limit);
  sink.mode = "hold";
  const device = await open();
  const count = 10_000;
  for (let i = 0; i < count; i++) device.send(publish("x", { messageId: i + 1 }));
  await sink.arrived(1_000);
  const other = await open({ clientId: "other" });
  await ping(other);
  expect(broker.stats()).toMatchObject({ received: 1_000, acknowledged: 0 });
  sink.commit();
  for (let i = 0; i < count; i++) expect((await device.next("puback")).messageId).toBe(i + 1);
  expect(broker.stats()).toMatchObject({ received: count, acknowledged: count, refused: {} });
});

test("a full group commit stops reading; no publisher is refused or closed", async () => {
  const limits = { groupBytesMax: 20_000, waitingBytesMax: 50_000 };
  const commit = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const group = new GroupCommit({ commit, limits });
  const { open, broker } = await start({}, {}, { sink: group });
  const clients = await Promise.all([1, 2, 3, 4].map((i) => open({ clientId: `device-${i}` })));
  const count = 300;
  for (const client of clients)
    for (let i = 0; i < count; i++)
      client.send(publish("x".repeat(1_000), { messageId: i + 1, qos: i % 3 === 0 ? 0 : 1 }));
  for (const client of clients)
    for (let id = 2; id <= count; id += id % 3 === 0 ? 2 : 1)
      expect((await client.next("puback")).messageId).toBe(id);
  expect(broker.stats()).toMatchObject({ received: 4 * count, refused: {}, connections: 4 });
  expect(group.stats().refused).toBe(0);
});

test("a client that only publishes is alive; one that is silent for one and a half keep-alives is closed", async () => {
  const clock = new SimulatedClock(1_700_000_000_000_000);
  const { sink, open, broker, refused } = await start({}, {}, { clock });
  const will = { topic: "plant/state", payload: Buffer.from("silent"), qos: 0 as const, retain: false };
  const talking = await open({ clientId: "talking", keepalive: 2 });
  const pinging = await open({ clientId: "pinging", keepalive: 2 });
  await open({ clientId: "careless", keepalive: 0 });
  const silent = await open({ clientId: "silent", keepalive: 2, will });
  for (let i = 0; i < 3; i++) {
    await clock.advance(2_000);
    talking.send(publish("1", { messageId: i + 1 }));
    await talking.next("puback");
    await ping(pinging);
  }
  await silent.closed;
  expect(sink.texts()).toContain("plant/state silent");
  expect(broker.stats().connections).toBe(3);
  await clock.advance(4_000);
  await Promise.all([talking.closed, pinging.closed]);
  await expect.poll(() => broker.stats().connections).toBe(1);
  expect(refused()).toEqual({});
});

test("a publisher that we do not read from is not taken for a silent one", async () => {
  const clock = new SimulatedClock(1_700_000_000_000_000);
  const { sink, open } = await start({}, {}, { clock });
  sink.mode = "hold";
  const device = await open({ keepalive: 2 });
  for (let i = 0; i < 5_000; i++) device.send(publish("x", { messageId: i + 1 }));
  await sink.arrived(4_096);
  await clock.advance(60_000);
  sink.commit();
  for (let i = 0; i < 5_000; i++) expect((await device.next("puback")).messageId).toBe(i + 1);
});

test.each([
  ["a wildcard", generate({ ...publish("1"), topic: "a" }).fill("+", 4, 5)],
  ["the packet id 0", Buffer.of(0x32, 5, 0, 1, 0x61, 0, 0)],
  ["DUP with QoS 0", Buffer.of(0x38, 3, 0, 1, 0x61)],
  ["QoS 3", Buffer.of(0x36, 5, 0, 1, 0x61, 0, 1)],
  ["a topic that is not UTF-8", Buffer.of(0x32, 5, 0, 1, 0xff, 0, 1)],
  ["a topic longer than the packet", Buffer.of(0x32, 5, 0, 9, 0x61, 0, 1)],
])(
  "a PUBLISH with %s closes its connection, is counted, and what came before it is stored",
  async (_, bytes) => {
    const { sink, open, refused } = await start();
    const client = await open();
    client.sendBytes(Buffer.concat([generate(publish("before")), bytes, generate(publish("after"))]));
    await client.closed;
    expect(refused()).toEqual({ "packet.invalid": 1 });
    expect(sink.texts()).toEqual(["plant/a before"]);
  },
);

test("subscriptions that come and go decide who gets what", async () => {
  const { open } = await start();
  const panel = await open({ clientId: "panel" });
  const device = await open({ clientId: "device" });
  const send = async (text: string): Promise<void> => {
    device.send(publish(text));
    await device.next("puback");
    await ping(device);
    await ping(panel);
  };
  await send("nobody");
  await subscribe(panel, "plant/a", 0);
  await send("panel");
  panel.send({ cmd: "unsubscribe", messageId: 3, unsubscriptions: ["plant/a"] });
  await panel.next("unsuback");
  await send("nobody again");
  await subscribe(panel, "#", 0);
  await send("all");
  expect(await received(panel, 2)).toEqual(["panel", "all"]);
  expect(panel.unread).toEqual([]);
});

test("messages of different kinds and clients that are durable together all reach a subscriber of all", async () => {
  const { sink, open } = await start();
  const panel = await open({ clientId: "panel" });
  await subscribe(panel, "#", 1);
  const away = await open({ clientId: "away", clean: false });
  await subscribe(away, "#", 1);
  away.destroy();
  await away.closed;
  sink.mode = "hold";
  const devices = await Promise.all([0, 1, 2].map((i) => open({ clientId: `device-${i}` })));
  const kinds = [
    { qos: 2, retain: true },
    { qos: 1, retain: true },
    { qos: 1 },
    { qos: 0, retain: true },
    { qos: 0 },
  ] as const;
  for (const [i, device] of devices.entries())
    device.send(...kinds.slice(i).map((kind, k) => publish(`${i}.${k}`, { ...kind, messageId: k + 1 })));
  await sink.arrived(8); // What the first one sent after its QoS 2 waits for it.
  sink.commit();
  const texts = devices.flatMap((_, i) => kinds.slice(i).map((_, k) => `${i}.${k}`));
  expect((await received(panel, texts.length)).sort()).toEqual(texts.sort());
});
