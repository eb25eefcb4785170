import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atLeast, atMost, type BenchLine, count, interleave, median, notMeasured } from "./line.ts";
import { PAYLOADS } from "./payloads.ts";
import { root, runJson } from "./process.ts";
import {
  type BenchGateway,
  type BenchServer,
  compileSlowSync,
  decodedAll,
  startBareAedes,
  startGateway,
  startMosquitto,
  startNats,
  statusOf,
} from "./servers.ts";

/** Each figure is the median of so many runs; fewer give a first look. */
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 5);
const SECONDS = 3;

/** Long enough for what a gateway remembers to be there. */
const MEMORY_SECONDS = 20;

const VIEW = {
  name: "bench",
  owner: "bench",
  match: { deviceType: "pump" },
  window: { kind: "hopping", sizeMs: 10_000, hopMs: 1_000 },
  inputs: { a: { metric: "vibration" }, b: { metric: "current" } },
  features: ["mean", "std", "min", "max", "rms"].flatMap((fn) => [
    { name: `a_${fn}`, fn, of: "a" },
    { name: `b_${fn}`, fn, of: "b" },
  ]),
};

const SENML = { format: "senml-json" };

interface Load {
  readonly connections: number;
  readonly window: number;
  readonly rate?: number;
  readonly payload?: string;
  readonly seconds?: number;
}

/** Runs a load in a process of its own. */
export const runLoad = (port: number, load: Load): Promise<Record<string, number>> =>
  runJson([
    join(root, "test/bench/publish-load.ts"),
    ...["--port", String(port), "--connections", String(load.connections), "--window", String(load.window)],
    ...["--rate", String(load.rate ?? 0), "--payload", load.payload ?? "json"],
    ...["--seconds", String(load.seconds ?? SECONDS)],
  ]);

/** Messages a second that a broker acknowledges. */
const acknowledged = (server: BenchServer, load: Load) => async (): Promise<number> =>
  (await runLoad(server.port, load))["perSecond"] ?? NaN;

/** Messages a second that a gateway acknowledges, decodes, validates and stores: the time ends with the last step. */
const stored = (gateway: BenchGateway, load: Load) => async (): Promise<number> => {
  const result = await runLoad(gateway.port, load);
  const startedMs = performance.now();
  await decodedAll(gateway);
  return (
    (result["acknowledged"] ?? NaN) / ((result["elapsedS"] ?? NaN) + (performance.now() - startedMs) / 1_000)
  );
};

/** Acknowledged-after-fsync against brokers that promise less, in interleaved runs. */
export async function benchIngest(say: (text: string) => void): Promise<readonly BenchLine[]> {
  return [...(await benchSaturated(say)), ...(await benchRates(say)), ...(await benchExistingBroker(say))];
}

/** As much as goes in, against the peers that could be installed. */
async function benchSaturated(say: (text: string) => void): Promise<readonly BenchLine[]> {
  const plain = await startGateway();
  const scoring = await startGateway({ views: [VIEW] });
  const packs = await startGateway({ payload: SENML });
  const bare = await startBareAedes();
  const peers = [await startMosquitto("none"), await startMosquitto("saving"), await startNats()];
  const full = { connections: 4, window: 1_000 };
  const waiting = { connections: 1_000, window: 1 };
  const rateOf = (server: BenchServer | undefined) =>
    server === undefined ? async () => NaN : acknowledged(server, full);
  try {
    say("4 connections with a window of 1,000");
    const [ours = NaN, featured = NaN, tens = NaN, aedes = NaN, volatile = NaN, saving = NaN, nats = NaN] =
      await interleave(ROUNDS, [
        stored(plain, full),
        stored(scoring, full),
        stored(packs, { ...full, payload: "senml" }),
        acknowledged(bare, full),
        ...peers.map(rateOf),
      ]);
    say("1,000 connections that each wait");
    const [each = NaN, eachBare = NaN] = await interleave(ROUNDS, [
      stored(plain, waiting),
      acknowledged(bare, waiting),
    ]);
    const readings = tens * (PAYLOADS["senml"]?.readings ?? NaN);
    const memoryMib = (await statusOf(plain)).memoryBytes / 1_048_576;
    return [
      atLeast("QoS 1, 256 bytes, acknowledged after fsync, decoded, stored", ours, {
        name: "bare aedes",
        value: aedes,
        mark: 0.6,
      }),
      atLeast("the same", ours, { name: "mosquitto without persistence", value: volatile, mark: 1 }),
      atLeast("the same", ours, { name: "mosquitto that saves on every change", value: saving, mark: 50 }),
      atLeast("the same", ours, {
        name: "NATS JetStream on disk, no fsync per message",
        value: nats,
        mark: undefined,
      }),
      atLeast("1,000 connections that each wait for their acknowledgement", each, {
        name: "bare aedes",
        value: eachBare,
        mark: 0.8,
      }),
      atLeast("with 10 features over hopping windows", featured, {
        name: "the first line",
        value: ours,
        mark: 0.6,
      }),
      atLeast("readings a second in SenML packs of 10", readings, {
        name: "the mark",
        value: 300_000,
        mark: 1,
      }),
      resident("gateway memory after the load, resident", memoryMib),
    ];
  } finally {
    await Promise.all([plain, scoring, packs, bare, ...peers].map(async (server) => server?.stop()));
  }
}

/** Resident memory where nothing says how much it may be. */
const resident = (what: string, mib: number): BenchLine => ({
  ...atMost(what, mib, { unit: "MiB", mark: NaN }),
  mark: "none",
  reached: undefined,
});

/** What a gateway takes for so many readings a second, over a hundred connections. */
async function benchMemoryAt(readingsPerS: number): Promise<BenchLine> {
  const gateway = await startGateway();
  try {
    const rate = readingsPerS / (PAYLOADS["json"]?.readings ?? NaN);
    await runLoad(gateway.port, { connections: 100, window: 1_000, rate, seconds: MEMORY_SECONDS });
    const memoryMib = (await statusOf(gateway)).memoryBytes / 1_048_576;
    const what = `gateway memory at ${count(readingsPerS)} readings/s, resident`;
    return atMost(what, memoryMib, { unit: "MiB", mark: 150 });
  } finally {
    await gateway.stop();
  }
}

/** How long a publisher waits for its acknowledgement at a fixed rate, on this disk and on a slow one. */
async function benchRates(say: (text: string) => void): Promise<readonly BenchLine[]> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  const library = await compileSlowSync(dir);
  const plain = await startGateway();
  const slow =
    library === undefined
      ? undefined
      : await startGateway({ env: { LD_PRELOAD: library, SLOW_SYNC_MS: "20" } });
  const p99 = async (server: BenchServer, rate: number): Promise<number> => {
    const runs = [];
    for (let round = 0; round < ROUNDS; round++)
      runs.push((await runLoad(server.port, { connections: 100, window: 1_000, rate }))["p99Ms"] ?? NaN);
    return median(runs);
  };
  try {
    say("10,000 messages a second over 100 connections");
    const fast = await p99(plain, 10_000);
    const memoryMib = (await statusOf(plain)).memoryBytes / 1_048_576;
    say("10,000 readings a second");
    const atReadings = await benchMemoryAt(10_000);
    say("20,000 messages a second with 20 ms more at every fsync");
    return [
      atMost("p99 of the acknowledgement at 10,000 messages/s", fast, { unit: "ms", mark: 25 }),
      atReadings,
      resident("gateway memory at 10,000 messages/s (40,000 readings/s), resident", memoryMib),
      slow === undefined
        ? notMeasured("p99 with 20 ms more at every fsync, at 20,000 messages/s", "no C compiler")
        : atMost("p99 with 20 ms more at every fsync, at 20,000 messages/s", await p99(slow, 20_000), {
            unit: "ms",
            mark: 150,
          }),
    ];
  } finally {
    await Promise.all([plain.stop(), slow?.stop()]);
    await rm(dir, { recursive: true, force: true });
  }
}

/** What a gateway takes from a broker that is already there, against a plain mqtt.js consumer. */
async function benchExistingBroker(say: (text: string) => void): Promise<readonly BenchLine[]> {
  const what = "from an existing broker (mosquitto), acknowledged after fsync";
  const broker = await startMosquitto("none");
  if (broker === undefined) return [notMeasured(what, "mosquitto is not installed")];
  const url = `mqtt://127.0.0.1:${broker.port}`;
  const gateway = await startGateway({
    ingest: { client: { url, topics: ["plant/#"], clientId: "bench" } },
  });
  say("through mosquitto");
  const full = { connections: 4, window: 1_000 };
  try {
    const [ours = NaN, naive = NaN] = await interleave(ROUNDS, [
      async () => {
        const before = (await statusOf(gateway)).buffer.nextOffset;
        const startedMs = performance.now();
        await runLoad(broker.port, full);
        await decodedAll(gateway);
        const taken = (await statusOf(gateway)).buffer.nextOffset - before;
        return taken / ((performance.now() - startedMs) / 1_000);
      },
      async () => {
        const consumer = runJson([
          join(root, "test/bench/naive-consumer.ts"),
          String(broker.port),
          String(SECONDS),
        ]);
        await runLoad(broker.port, full);
        return (await consumer)["perSecond"] ?? NaN;
      },
    ]);
    return [atLeast(what, ours, { name: "handleMessage with a commit every 5 ms", value: naive, mark: 100 })];
  } finally {
    await gateway.stop();
    await broker.stop();
  }
}
