import { SimulatedClock, systemClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { Publisher } from "../../../simulators/fleet/publisher.ts";
import type { PublisherOptions } from "../../../simulators/fleet/publisher.ts";
import { listen, startBroker } from "./broker.ts";
import type { BrokerOptions, TestBroker } from "./broker.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function brokerFor(options: BrokerOptions = {}): Promise<TestBroker> {
  const broker = await startBroker(options);
  cleanups.push(() => broker.kill());
  return broker;
}

function publisherFor(broker: string, options: Partial<PublisherOptions> = {}): Publisher {
  const publisher = new Publisher({
    broker,
    clientId: "plant",
    clock: systemClock,
    random: seededRandom(1),
    backoff: { baseMs: 2, maxMs: 20 },
    ...options,
  });
  cleanups.push(() => publisher.stop());
  return publisher;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const until = async (reached: () => boolean): Promise<void> => {
  while (!reached()) await turn();
};

const texts = (broker: TestBroker): string[] => broker.seen.map(({ payload }) => payload.toString());

test("a publish resolves at its acknowledgement and calls keep their order", async () => {
  const broker = await brokerFor();
  const publisher = publisherFor(broker.url);
  await publisher.start();
  const sent = Array.from({ length: 500 }, (_, i) => `message ${i}`);
  await Promise.all(sent.map((text) => publisher.publish("plant/pump-1/telemetry", text)));
  expect(texts(broker)).toEqual(sent);
  expect(broker.seen.every(({ qos, dup }) => qos === 1 && !dup)).toBe(true);
  expect(publisher.stats()).toMatchObject({
    sent: 500,
    acknowledged: 500,
    resent: 0,
    inFlight: 0,
    waiting: 0,
  });
  expect(publisher.stats().ackLatencyMs.p99).toBeGreaterThan(0);
});

test("topics and payloads of every size arrive as they were", async () => {
  const broker = await brokerFor();
  const publisher = publisherFor(broker.url);
  await publisher.start();
  // Around each step of MQTT's length encoding: 127, 16,383 and 2,097,151 bytes.
  for (const bytes of [0, 1, 120, 127, 128, 16_370, 16_384, 2_097_140, 2_097_152]) {
    const payload = Buffer.alloc(bytes, bytes % 251);
    await publisher.publish("werk/Pümpe 7", payload);
    const last = broker.seen.at(-1);
    expect(last?.topic).toBe("werk/Pümpe 7");
    expect(last?.payload.equals(payload)).toBe(true);
  }
});

test("while the broker withholds acknowledgements the window fills and no more is sent", async () => {
  let release: (() => void) | undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const broker = await brokerFor({ beforeAck: () => gate });
  const publisher = publisherFor(broker.url, { window: 3 });
  await publisher.start();
  let acknowledged = 0;
  const all = Array.from({ length: 10 }, async (_, i) => {
    await publisher.publish("t", `${i}`);
    acknowledged++;
  });
  expect(await publisher.drain(50)).toBe(10);
  expect(publisher.stats()).toMatchObject({ sent: 3, inFlight: 3, waiting: 7 });
  expect(acknowledged).toBe(0);
  let roomy = false;
  const room = publisher.room().then(() => (roomy = true));
  await publisher.drain(20);
  expect(roomy).toBe(false);
  release?.();
  await Promise.all([...all, room]);
  expect(texts(broker)).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`));
});

test("large messages fill the window by their bytes", async () => {
  const broker = await brokerFor({ beforeAck: () => new Promise(() => undefined) });
  const publisher = publisherFor(broker.url, { window: 100, windowBytesMax: 10_000 });
  await publisher.start();
  for (let i = 0; i < 5; i++) publisher.publish("t", Buffer.alloc(4_000)).catch(() => undefined);
  await publisher.drain(20);
  expect(publisher.stats()).toMatchObject({ inFlight: 2, waiting: 3 });
});

test("a caller that ignores the window is refused before memory runs out", async () => {
  const broker = await brokerFor({ beforeAck: () => new Promise(() => undefined) });
  const publisher = publisherFor(broker.url, { window: 1, waitingMax: 2 });
  await publisher.start();
  const calls = [1, 2, 3, 4].map((i) => publisher.publish("t", `${i}`));
  await expect(calls[3]).rejects.toMatchObject({ code: "mqtt.overloaded" });
  const stopping = Promise.allSettled(calls);
  await publisher.stop();
  expect((await stopping).map(({ status }) => status)).toEqual(Array(4).fill("rejected"));
});

test("after a broken connection everything unacknowledged comes again, in order, as duplicates of the same packet ids", async () => {
  let acknowledgements = 0;
  const broker = await brokerFor({
    // The 3rd message and those after it are never acknowledged, and the 6th makes the broker hang up.
    beforeAck: async ({ dup }) => {
      if (dup || ++acknowledgements <= 2) return undefined;
      if (acknowledgements < 6) return new Promise(() => undefined);
      throw new Error("disk full");
    },
  });
  const publisher = publisherFor(broker.url);
  await publisher.start();
  await publisher.publish("t", "0");
  await publisher.publish("t", "1");
  await Promise.all(["2", "3", "4", "5"].map((text) => publisher.publish("t", text)));
  const first = broker.seen.filter(({ dup }) => !dup);
  const again = broker.seen.filter(({ dup }) => dup);
  expect(again.map(({ payload }) => payload.toString())).toEqual(["2", "3", "4", "5"]);
  expect(again.map(({ packetId }) => packetId)).toEqual(first.slice(2).map(({ packetId }) => packetId));
  expect(publisher.stats()).toMatchObject({ sent: 6, acknowledged: 6, resent: 4, reconnects: 1 });
});

test("nothing is missing after the broker's process was killed and started again several times", async () => {
  // Goal: what this publisher calls acknowledged a broker has seen, whatever happens to the broker. Method: a broker
  // in a process of its own that writes down what it sees before it acknowledges; SIGKILL while publishes flow.
  // Every publish must be written at least once, and the first appearances must be in the order of the calls.
  const dir = mkdtempSync(join(tmpdir(), "sluice-publisher-"));
  cleanups.push(async () => rmSync(dir, { recursive: true }));
  const file = join(dir, "seen");
  let broker = await forkBroker(0, file);
  cleanups.push(async () => broker.child.kill("SIGKILL"));
  const publisher = publisherFor(`mqtt://127.0.0.1:${broker.port}`, { window: 50 });
  await publisher.start();
  const total = 6_000;
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < total; i++) {
    await publisher.room();
    calls.push(publisher.publish("t", `${i}`));
    if (i % 2_000 !== 1_000) continue;
    broker.child.kill("SIGKILL");
    await once(broker.child, "exit");
    broker = await forkBroker(broker.port, file);
  }
  await Promise.all(calls);
  expect(publisher.stats()).toMatchObject({ acknowledged: total, sent: total, reconnects: 3, inFlight: 0 });
  expect(publisher.stats().resent).toBeGreaterThan(0);
  const seen = readFileSync(file, "utf8").trimEnd().split("\n").map(Number);
  expect([...new Set(seen)]).toEqual(Array.from({ length: total }, (_, i) => i));
}, 20_000);

interface ForkedBroker {
  readonly child: ReturnType<typeof fork>;
  readonly port: number;
}

async function forkBroker(port: number, file: string): Promise<ForkedBroker> {
  const program = fileURLToPath(new URL("./broker-process.ts", import.meta.url));
  const child = fork(program, [String(port), file], { stdio: "inherit" });
  const [ready]: unknown[] = await once(child, "message");
  return { child, port: Number(ready) };
}

test("packet ids in flight are never given twice, even past 65,535", async () => {
  const broker = await brokerFor();
  const publisher = publisherFor(broker.url, { window: 1_000 });
  await publisher.start();
  for (let i = 0; i < 66_000; i++) {
    await publisher.room();
    void publisher.publish("t", "x");
  }
  expect(await publisher.drain(10_000)).toBe(0);
  expect(broker.seen.length).toBe(66_000);
  expect(broker.seen.every(({ packetId }) => packetId >= 1 && packetId <= 65_535)).toBe(true);
  expect(broker.seen[65_535]?.packetId).toBe(1);
});

test("at QoS 0 a publish is done once it is written and is counted as lost when the connection broke before", async () => {
  const broker = await brokerFor();
  const publisher = publisherFor(broker.url, { qos: 0 });
  await publisher.start();
  await publisher.publish("t", "0");
  const sizes = Array.from({ length: 40 }, () => publisher.publish("t", Buffer.alloc(1_000_000)));
  await broker.kill();
  const again = await brokerFor({ port: broker.port });
  await Promise.all(sizes);
  await publisher.publish("t", "later");
  expect(await publisher.drain(5_000)).toBe(0);
  const { sent, acknowledged, lost } = publisher.stats();
  expect(lost).toBeGreaterThan(0);
  expect(acknowledged + lost).toBe(42);
  expect(sent).toBe(42);
  // The last one was written, yet it may still be on its way.
  await until(() => again.seen.length > 0);
  expect(texts(again).at(-1)).toBe("later");
});

test("a broker that is not there is one clear error, or is waited for where that was asked", async () => {
  const broker = await startBroker();
  await broker.kill();
  await expect(publisherFor(broker.url).start()).rejects.toMatchObject({
    code: "mqtt.unavailable",
    message: `broker at 127.0.0.1:${broker.port} is not reachable`,
  });
  const patient = publisherFor(broker.url, { brokerWaitMs: 10_000 });
  const started = patient.start();
  await brokerFor({ port: broker.port });
  await started;
  await patient.publish("t", "here");
});

/** A server that answers each connection's first packet with a CONNACK, and nothing after it unless told to. */
async function bareBroker(connected: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    connected(socket);
  });
  const port = await listen(server);
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `mqtt://127.0.0.1:${port}`;
}

const CONNACK = Buffer.from([0x20, 2, 0, 0]);
const PINGREQ = 0xc0;

test("a broker that does not answer is given up after the connect timeout", async () => {
  const url = await bareBroker(() => undefined);
  await expect(publisherFor(url, { connectTimeoutMs: 30 }).start()).rejects.toMatchObject({
    code: "mqtt.unavailable",
    cause: { message: "no answer within 30 ms" },
  });
});

test("an idle connection is kept alive by pings", async () => {
  let pings = 0;
  const clock = new SimulatedClock(0);
  const url = await bareBroker((socket) => {
    socket.once("data", () => {
      socket.write(CONNACK);
      socket.on("data", (bytes: Buffer) => {
        if (bytes[0] !== PINGREQ) return;
        pings++;
        socket.write(Buffer.from([0xd0, 0]));
      });
    });
  });
  const publisher = publisherFor(url, { keepAliveS: 10, clock });
  await publisher.start();
  for (let second = 0; second < 60; second++) {
    const before = pings;
    await clock.advance(1_000);
    // Half a keep-alive without a packet is where the next ping is due.
    if (second % 5 === 4) await until(() => pings > before);
  }
  expect(pings).toBeGreaterThanOrEqual(12);
  expect(publisher.stats().reconnects).toBe(0);
});

test("a broker that falls silent is left and tried again", async () => {
  let connections = 0;
  const clock = new SimulatedClock(0);
  const url = await bareBroker((socket) => {
    connections++;
    socket.once("data", () => socket.write(CONNACK));
  });
  const publisher = publisherFor(url, { keepAliveS: 10, clock });
  await publisher.start();
  const call = publisher.publish("t", "x").catch((error: unknown) => error);
  while (publisher.stats().reconnects === 0) {
    await clock.advance(1_000);
    await turn();
  }
  expect(clock.nowUs()).toBeGreaterThan(15_000_000);
  expect(connections).toBe(2);
  expect(publisher.stats()).toMatchObject({ sent: 1, resent: 1 });
  const stopping = publisher.stop();
  await clock.advance(2_000);
  await stopping;
  expect(await call).toMatchObject({ code: "mqtt.stopped" });
});

test("a refused login is said as such and a right one is let in", async () => {
  const broker = await brokerFor({ authenticate: (name, password) => name === "u:1" && password === "p@ss" });
  const address = (login: string): string => broker.url.replace("//", `//${login}@`);
  await expect(publisherFor(address("u:wrong")).start()).rejects.toMatchObject({ code: "mqtt.refused" });
  const publisher = publisherFor(address("u%3A1:p%40ss"));
  await publisher.start();
  await publisher.publish("t", "in");
});

test("what cannot be published or is no address is refused with its name", async () => {
  const broker = await brokerFor();
  const publisher = publisherFor(broker.url);
  await publisher.start();
  for (const topic of ["", "a/+/b", "a/#", "x".repeat(65_536)])
    await expect(publisher.publish(topic, "x")).rejects.toMatchObject({ code: "mqtt.publish_refused" });
  await publisher.publish("t", "the next one flows");
  for (const url of ["localhost", "http://localhost", "mqtt://", "mqtt://h/path", "mqtt://h:99999"])
    expect(() => publisherFor(url)).toThrow(/broker ".*"/);
  expect(() => publisherFor(broker.url, { window: 0 })).toThrow("a window of 0: 1 to 32768 is possible");
});
