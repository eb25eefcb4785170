import { expect, test } from "vitest";
import { brokerStarter, type StartedBroker } from "./started-broker.ts";
import type { WireClient } from "./wire-client.ts";

// Goal: a QoS 2 publish is in the sink exactly once, and its PUBREC means that it is durable. Method: a client that
// sends single packets, against a sink whose commits the test orders.

const start = brokerStarter();
const session = { clientId: "device", clean: false };
const two = { qos: 2 as const, messageId: 7 };
const pubrel = { cmd: "pubrel" as const, qos: 1 as const, messageId: 7 };

/** Lets everything that can be answered be answered. */
async function quiet({ open }: StartedBroker): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const other = await open({ clientId: `bystander-${i}` });
    other.send({ cmd: "pingreq" });
    await other.next("pingresp");
  }
}

async function finish(client: WireClient): Promise<void> {
  await client.next("pubrec");
  client.send(pubrel);
  await client.next("pubcomp");
}

test("the PUBREC waits for the sink, and the message is put once through the whole handshake", async () => {
  const started = await start();
  const { sink, open, broker } = started;
  sink.mode = "hold";
  const client = await open(session);
  client.publish("a", "1", two);
  await sink.arrived(1);
  await quiet(started);
  expect(client.unread).toEqual([]);
  sink.puts[0]?.settled(undefined);
  await finish(client);
  expect(sink.puts).toHaveLength(1);
  expect(broker.stats()).toMatchObject({ received: 1, acknowledged: 1 });
});

test.each([true, false])(
  "a redelivery after the PUBREC is answered and not put again (DUP %s)",
  async (dup) => {
    const { sink, open } = await start();
    const first = await open(session);
    first.publish("a", "1", two);
    await first.next("pubrec");
    first.destroy(); // The PUBREC was lost on the way, for all that the client knows.
    const second = await open(session);
    second.publish("a", "1", { ...two, dup });
    await finish(second);
    expect(sink.texts()).toEqual(["a 1"]);
  },
);

test("a redelivery that comes while the first is still under way waits for it", async () => {
  const started = await start();
  const { sink, open } = started;
  sink.mode = "hold";
  const first = await open(session);
  first.publish("a", "1", two);
  await sink.arrived(1);
  first.destroy();
  const second = await open(session);
  second.publish("a", "1", { ...two, dup: true });
  await quiet(started);
  expect(second.unread).toEqual([]);
  expect(sink.puts).toHaveLength(1);
  sink.puts[0]?.settled(undefined);
  await finish(second);
  expect(sink.puts).toHaveLength(1);
});

test("a redelivery in the same packet of bytes is put once", async () => {
  const { sink, open } = await start();
  const client = await open(session);
  const publish = { cmd: "publish" as const, topic: "a", payload: "1", retain: false, ...two };
  client.send({ ...publish, dup: false }, { ...publish, dup: true });
  await client.next("pubrec");
  await finish(client);
  expect(sink.texts()).toEqual(["a 1"]);
});

test("a message that the sink refused is put again when it is delivered again", async () => {
  const { sink, open } = await start();
  sink.mode = "refuse";
  const first = await open(session);
  first.publish("a", "1", two);
  await first.closed;
  expect(first.unread).toEqual([]);
  sink.mode = "settle";
  const second = await open(session);
  second.publish("a", "1", { ...two, dup: true });
  await finish(second);
  expect(sink.texts()).toEqual(["a 1", "a 1"]);
});

test("a new session's message is not taken for one of the old session that became durable too late", async () => {
  const { sink, open } = await start();
  sink.mode = "hold";
  const first = await open({ ...session, clean: true });
  first.publish("a", "old", two);
  await sink.arrived(1);
  first.destroy();
  const second = await open({ ...session, clean: true });
  sink.puts[0]?.settled(undefined); // Durable, but nobody is there to hear of it.
  sink.mode = "settle";
  second.publish("a", "new", two);
  await finish(second);
  expect(sink.texts()).toEqual(["a old", "a new"]);
});

test("a client that lost its state and uses a packet id anew for another message gets that one stored too", async () => {
  const { sink, open } = await start();
  const first = await open(session);
  first.publish("a", "old", two);
  await first.next("pubrec");
  first.destroy();
  const second = await open(session);
  second.publish("a", "new", two);
  await finish(second);
  expect(sink.texts()).toEqual(["a old", "a new"]);
});

test("after the handshake a packet id is free for another message, even one with the same contents", async () => {
  const { sink, open } = await start();
  const client = await open(session);
  for (let i = 0; i < 3; i++) {
    client.publish("a", "1", two);
    await finish(client);
  }
  expect(sink.texts()).toEqual(["a 1", "a 1", "a 1"]);
});

test("subscribers get a QoS 2 message once, after it is durable", async () => {
  const started = await start();
  const { sink, open } = started;
  const subscriber = await open({ clientId: "panel" });
  subscriber.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "#", qos: 0 }] });
  await subscriber.next("suback");
  sink.mode = "hold";
  const client = await open(session);
  client.publish("a", "1", two);
  await sink.arrived(1);
  await quiet(started);
  expect(subscriber.unread).toEqual([]);
  sink.puts[0]?.settled(undefined);
  await finish(client);
  expect(await subscriber.next("publish")).toMatchObject({ topic: "a", payload: Buffer.from("1") });
  await quiet(started);
  expect(subscriber.unread).toEqual([]);
});
