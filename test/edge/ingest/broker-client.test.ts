import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { afterEach, expect, test } from "vitest";
import { checkGate } from "../../../edge/ingest/acknowledgement-gate.ts";
import { createBrokerClient } from "../../../edge/ingest/broker-client.ts";
import { ingestSettingsSchema } from "../../../edge/ingest/settings.ts";
import type { Source } from "../../../edge/ingest/source.ts";
import { connectMqtt, OrderedSink } from "../../suites/source-harness.ts";
import { openUpstream, type Upstream } from "./upstream.ts";

let cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanUp.toReversed()) await clean();
  cleanUp = [];
});

async function upstreamBroker(options: object = {}, port = 0): Promise<Upstream> {
  const upstream = await openUpstream(options, port);
  cleanUp.push(() => upstream.close());
  return upstream;
}

interface Started {
  readonly source: Source;
  readonly sink: OrderedSink;
  readonly said: string[];
}

async function startClient(address: string, settings: object = {}, ingest: object = {}): Promise<Started> {
  const sink = new OrderedSink();
  const said: string[] = [];
  const say = (_fields: object, message: string): void => void said.push(message);
  const log: Log = { debug: () => undefined, info: say, warn: say, error: say };
  const client = {
    url: `mqtt://${address}`,
    topics: ["plant/#"],
    clientId: "gateway",
    protocolVersion: 4,
    reconnectBaseMs: 10,
    reconnectMaxMs: 50,
    ...settings,
  };
  const source = createBrokerClient({
    settings: ingestSettingsSchema.parse({ client, stopDeadlineMs: 20, ...ingest }),
    sink,
    clock: systemClock,
    log,
    random: seededRandom(1),
  });
  cleanUp.push(() => source.stop());
  await source.start();
  return { source, sink, said };
}

/** Publishes to the broker in one go, in order. */
function publishAll(upstream: Upstream, texts: readonly string[], topic = "plant/a"): void {
  for (const text of texts)
    upstream.aedes.publish(
      { cmd: "publish", topic, payload: Buffer.from(text), qos: 1, retain: false, dup: false },
      () => undefined,
    );
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

test("this version of mqtt.js acknowledges only what it is told to", async () => {
  await expect(checkGate()).resolves.toBeUndefined();
});

test("a thousand messages are taken in without waiting for each other, and acknowledged after one commit", async () => {
  const upstream = await upstreamBroker();
  const { source, sink } = await startClient(upstream.address);
  const acknowledged: string[] = [];
  upstream.aedes.setMaxListeners(0);
  upstream.aedes.on("ack", (packet) => {
    if (packet?.cmd === "publish") acknowledged.push(packet.payload.toString());
  });
  sink.mode = "hold";
  publishAll(upstream, numbers(1_000));
  await sink.arrived(1_000);
  expect(acknowledged).toEqual([]);
  for (const { settled } of sink.puts.toReversed()) settled(undefined); // One commit, settled in any order.
  await expect.poll(() => acknowledged.length).toBe(1_000);
  expect(acknowledged).toEqual(numbers(1_000));
  expect(source.stats()).toMatchObject({ acknowledged: 1_000, connections: 1, problem: undefined });
});

test("what a gateway had not acknowledged when it died is delivered to the next one", async () => {
  const upstream = await upstreamBroker();
  const dying = await startClient(upstream.address);
  dying.sink.mode = "hold";
  publishAll(upstream, numbers(10));
  await dying.sink.arrived(10);
  for (const { settled } of dying.sink.puts.slice(0, 4)) settled(undefined);
  await expect.poll(() => dying.source.stats().acknowledged).toBe(4);
  await dying.source.stop(); // Its deadline passes; six messages are not durable.
  const { sink } = await startClient(upstream.address);
  await sink.arrived(6);
  expect(sink.texts()).toEqual(
    numbers(10)
      .slice(4)
      .map((text) => `plant/a ${text}`),
  );
});

test("when one message is refused, nothing after it is acknowledged, and all of it comes again in order", async () => {
  const upstream = await upstreamBroker();
  const { source, sink } = await startClient(upstream.address);
  sink.mode = "hold";
  publishAll(upstream, numbers(6));
  await sink.arrived(6);
  const first = sink.puts.splice(0);
  sink.mode = "settle";
  for (const [i, { settled }] of first.entries())
    settled(i === 2 ? new Error("the disk is full") : undefined);
  await sink.arrived(4);
  expect(sink.texts()).toEqual(["2", "3", "4", "5"].map((text) => `plant/a ${text}`));
  await expect.poll(() => source.stats().acknowledged).toBe(6);
});

test("after a cut the connection is made again, nothing is lost, and a late commit acknowledges nothing", async () => {
  const upstream = await upstreamBroker();
  const { source, sink, said } = await startClient(upstream.address);
  sink.mode = "hold";
  publishAll(upstream, ["1", "2"]);
  await sink.arrived(2);
  upstream.cut();
  await sink.arrived(4);
  const [first, second] = sink.puts;
  first?.settled(undefined);
  second?.settled(undefined);
  expect(source.stats().acknowledged).toBe(0);
  for (const { settled } of sink.puts.slice(2)) settled(undefined);
  await expect.poll(() => source.stats().acknowledged).toBe(2);
  expect(source.stats().problem).toBeUndefined();
  expect(said.filter((line) => line.startsWith("no connection"))).toHaveLength(1);
});

test("reading pauses while too many messages are under way, and goes on when there is room", async () => {
  const upstream = await upstreamBroker();
  const { sink } = await startClient(upstream.address, { unsettledMessagesMax: 10 });
  sink.mode = "hold";
  publishAll(upstream, numbers(50));
  await sink.arrived(10);
  const bystander = await connectMqtt(upstream.address);
  await bystander.endAsync();
  expect(sink.puts).toHaveLength(10);
  while (sink.puts.length < 50) {
    const before = sink.puts.length;
    sink.puts[before - 10]?.settled(undefined);
    await sink.arrived(before + 1);
  }
  expect(sink.texts()).toEqual(numbers(50).map((text) => `plant/a ${text}`));
});

test("a broker that is away at the start is waited for, and its messages are taken when it comes", async () => {
  const first = await openUpstream();
  await first.close();
  const { source, sink, said } = await startClient(first.address);
  expect(source.stats()).toMatchObject({ connections: 0, problem: expect.stringContaining(first.address) });
  await expect.poll(() => said.length).toBe(1); // Said once, however often it is tried.
  const upstream = await upstreamBroker({}, Number(first.address.split(":")[1]));
  await expect.poll(() => source.stats().problem).toBeUndefined();
  publishAll(upstream, ["1"]);
  await sink.arrived(1);
  expect(said.filter((line) => line.startsWith("no connection"))).toHaveLength(1);
});

test("messages of the gateway wait for the broker up to their limit, and are refused beyond it", async () => {
  const first = await openUpstream();
  await first.close();
  const { source } = await startClient(first.address, { publishQueueMax: 3 });
  const options = { qos: 1 as const, retain: false };
  const waiting = numbers(3).map((text) => source.publish("sluice/x", text, options));
  await expect(source.publish("sluice/x", "4", options)).rejects.toMatchObject({ code: "mqtt.queue_full" });
  expect(source.stats().refused).toEqual({ "announcement.queue_full": 1 });
  await upstreamBroker({}, Number(first.address.split(":")[1]));
  await Promise.all(waiting);
  await expect(source.publish("sluice/x", "5", options)).resolves.toBeUndefined();
});

test("messages that still wait when the gateway stops are given back as failed", async () => {
  const first = await openUpstream();
  await first.close();
  const { source } = await startClient(first.address);
  const waiting = source.publish("sluice/x", "1", { qos: 1, retain: false });
  await Promise.all([expect(waiting).rejects.toBeInstanceOf(PipelineError), source.stop()]);
  await expect(source.publish("sluice/x", "2", { qos: 1, retain: false })).rejects.toMatchObject({
    code: "mqtt.unavailable",
  });
});

test("what gateways say, seen through a wide filter, is acknowledged and not taken in; labels are", async () => {
  const upstream = await upstreamBroker();
  const { source, sink } = await startClient(upstream.address, { topics: ["#"] });
  await source.publish("sluice/site/predictions/pump", "1", { qos: 1, retain: false });
  publishAll(upstream, ["label"], "sluice/labels");
  publishAll(upstream, ["reading"]);
  await sink.arrived(2);
  expect(sink.texts()).toEqual(["sluice/labels label", "plant/a reading"]);
  await expect
    .poll(() => source.stats())
    .toMatchObject({ refused: { "topic.reserved": 1 }, acknowledged: 3 });
});

test("a subscription that the broker refuses is a problem that is said once", async () => {
  const upstream = await upstreamBroker({
    authorizeSubscribe: (_client: unknown, _sub: unknown, answer: (error: null, sub: null) => void) =>
      answer(null, null),
  });
  const { source, said } = await startClient(upstream.address);
  expect(source.stats().problem).toMatch(/refuses the subscription.*plant\/#/);
  expect(said).toHaveLength(1);
});

test("a broker that refuses the connection is asked again with growing waits", async () => {
  let asked = 0;
  const upstream = await upstreamBroker({
    authenticate: (
      _client: unknown,
      _user: unknown,
      _word: unknown,
      answer: (error: null, ok: boolean) => void,
    ) => answer(null, ++asked > 3),
  });
  const { source } = await startClient(upstream.address, { username: "gateway", password: "wrong" });
  expect(source.stats().problem).toMatch(/Not authorized/);
  await expect.poll(() => source.stats().problem).toBeUndefined();
  expect(asked).toBe(4);
});

test("a packet over the limit closes the connection and tells what to do", async () => {
  const upstream = await upstreamBroker();
  const { source, sink, said } = await startClient(upstream.address, {}, { packetBytesMax: 1_024 });
  publishAll(upstream, ["x".repeat(2_000)]);
  await expect.poll(() => source.stats().refused["packet.too_large"]).toBeGreaterThan(0);
  expect(sink.puts).toEqual([]);
  expect(said.join("\n")).toContain("raise ingest.packetBytesMax");
});

test("a certificate file that cannot be read is refused with its name", async () => {
  const settings = { url: "mqtts://localhost:1", caFile: "missing.pem" };
  await expect(startClient("", settings)).rejects.toMatchObject({
    code: "ingest.tls_unreadable",
    message: expect.stringContaining("missing.pem"),
  });
});
