import { fileURLToPath } from "node:url";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { type FeatureView, featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import { createScorer, weightCount } from "@sluice/shared/model/scorer.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { BLOCK_READINGS, deviceReadings } from "./device-readings.ts";
import { atMost, type BenchLine, count, interleave, median } from "./line.ts";
import { readings } from "./readings.ts";

const FUNCTIONS = ["mean", "std", "min", "max", "rms", "peak", "crest_factor", "slope", "first", "last"];

/** Most that one reading may cost more where there are more devices, or longer windows over the same hop. */
const FLAT_MAX = 1.3;

const CHECKPOINT_DEVICES = 1_000;
const CHECKPOINT_MS_MAX = 10;

/** A stream of readings through a view of ten features. */
interface Load {
  readonly window: Readonly<Record<string, string | number>>;
  readonly devices: number;
  /** Readings of each device in a second of event time. */
  readonly rateHz: number;
  /** Readings of one device in a message. */
  readonly perMessage: number;
  /** How much of event time is measured, once every window is full. */
  readonly measuredS: number;
}

const HOPPING = { kind: "hopping", sizeMs: 60_000, hopMs: 10_000 };

const viewOver = (window: Load["window"]): FeatureView =>
  featureViewSchema.parse({
    name: "bench",
    owner: "bench",
    match: { deviceType: "pump" },
    window,
    inputs: { a: { metric: "vibration" } },
    features: FUNCTIONS.map((fn) => ({ name: fn, fn, of: "a" })),
  });

/**
 * Nanoseconds of processor time per reading, and the engine afterwards. Time is the processor's, because the machine is
 * shared; the engine has before taken as much event time as its windows and corrections hold, so that it is as full as
 * it will ever be.
 */
function runEngine({ window, devices, rateHz, perMessage, measuredS }: Load): {
  readonly ns: number;
  readonly engine: WindowEngine;
} {
  const view = viewOver(window);
  const engine = new WindowEngine(view, viewHash(view), 0);
  const heldS = Number(window["sizeMs"]) / 1_000 + 80;
  const stream = deviceReadings({ devices, rateHz, perMessage });
  const blocks = (seconds: number): number => Math.ceil((seconds * rateHz * devices) / BLOCK_READINGS);
  for (let block = blocks(heldS); block > 0; block--) engine.process(stream());
  let [microseconds, count] = [0, 0];
  for (let block = blocks(measuredS); block > 0; block--) {
    const taken = stream();
    const before = process.cpuUsage();
    engine.process(taken);
    const { user, system } = process.cpuUsage(before);
    microseconds += user + system;
    count += taken.count;
  }
  return { ns: (microseconds * 1_000) / count, engine };
}

/** Processor time of some work, in milliseconds: the median of several. */
function processorMs(times: number, work: () => void): number {
  return median(
    Array.from({ length: times }, () => {
      const before = process.cpuUsage();
      work();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1_000;
    }),
  );
}

const nsOf = (load: Load) => async (): Promise<number> => runEngine(load).ns;

export async function benchEngine(say: (text: string) => void): Promise<readonly BenchLine[]> {
  say("feature engine, throughput");
  const [ns = NaN] = await interleave(3, [
    nsOf({ window: HOPPING, devices: 100, rateHz: 100, perMessage: 1, measuredS: 100 }),
  ]);
  return [
    {
      what: "feature engine, 10 features, 60 s by 10 s, 100 devices",
      measured: `${count(1e9 / ns)} readings/s`,
      reference: "one core",
      value: 1e9 / ns,
      mark: "1,000,000 readings/s",
      reached: 1e9 / ns >= 1_000_000,
    },
    ...(await benchFlatness(say)),
    ...benchCheckpoint(say),
    benchLanding(say),
  ];
}

async function benchFlatness(say: (text: string) => void): Promise<readonly BenchLine[]> {
  say("feature engine, more devices");
  const few = { window: HOPPING, devices: 10, rateHz: 10, perMessage: 10, measuredS: 4_000 };
  const many = { ...few, devices: 10_000, measuredS: 8 };
  const perDevice = await interleave(3, [nsOf(few), nsOf(many)]);
  const single = await interleave(3, [
    nsOf({ ...few, rateHz: 1, perMessage: 1, measuredS: 40_000 }),
    nsOf({ ...many, rateHz: 1, perMessage: 1, measuredS: 40 }),
  ]);
  say("feature engine, longer windows");
  const hopMs = 1_000;
  const short = {
    window: { kind: "tumbling", sizeMs: hopMs },
    devices: 100,
    rateHz: 100,
    perMessage: 1,
    measuredS: 60,
  };
  const long = { ...short, window: { kind: "hopping", sizeMs: 60 * hopMs, hopMs } };
  const perHop = await interleave(3, [nsOf(short), nsOf(long)]);
  return [
    flatness("cost per reading, 10,000 devices against 10, ten readings a message", perDevice),
    flatness("cost per reading, 10,000 devices against 10, one reading a message", single),
    flatness("cost per reading, 60 s by 1 s against 1 s by 1 s", perHop),
  ];
}

function flatness(what: string, [base = NaN, other = NaN]: readonly number[]): BenchLine {
  return {
    what,
    measured: `${count(other)} ns`,
    reference: `${count(base)} ns`,
    value: other / base,
    mark: `at most ${FLAT_MAX} times`,
    reached: other / base <= FLAT_MAX,
  };
}

function benchCheckpoint(say: (text: string) => void): readonly BenchLine[] {
  say("feature engine, checkpoint");
  return [1, 10].map((rateHz) => {
    const { engine } = runEngine({
      window: HOPPING,
      devices: CHECKPOINT_DEVICES,
      rateHz,
      perMessage: 1,
      measuredS: 20,
    });
    const megabytes = engine.checkpoint().length / 1e6;
    return atMost(
      `the engine's part of a checkpoint, ${count(CHECKPOINT_DEVICES)} devices at ${rateHz}/s, ${megabytes.toFixed(1)} MB`,
      processorMs(15, () => engine.checkpoint()),
      { unit: "ms", mark: CHECKPOINT_MS_MAX },
    );
  });
}

function benchLanding(say: (text: string) => void): BenchLine {
  say("landing size");
  const bytes = encodeLanding("readings", [readings(20_000)]).length / 20_000;
  return {
    what: "landing object, 20,000 readings",
    measured: `${bytes.toFixed(2)} bytes/reading`,
    reference: "",
    value: bytes,
    mark: "6 or less",
    reached: bytes <= 6,
  };
}

const INPUTS = 32;
const LAYERS = [
  { units: 64, activation: "relu" as const },
  { units: 32, activation: "relu" as const },
  { units: INPUTS, activation: "linear" as const },
];

/** One row through a small network: the edge's scorer against TensorFlow.js in WebAssembly. */
export async function benchScoring(say: (text: string) => void): Promise<readonly BenchLine[]> {
  say("scoring against TensorFlow.js");
  const random = seededRandom(3);
  const network = { kind: "autoencoder" as const, layers: LAYERS };
  const weights = Float32Array.from({ length: weightCount(network, INPUTS) }, () => random.normal() * 0.1);
  const inputs = Array.from({ length: INPUTS }, (_, i) => `f${i}`);
  const scorer = createScorer({
    manifest: { inputs, network, normalization: { mean: inputs.map(() => 0), scale: inputs.map(() => 1) } },
    weights,
  });
  const row = Array.from({ length: INPUTS }, () => random.normal());
  const tf = await import("@tensorflow/tfjs");
  const wasm = await import("@tensorflow/tfjs-backend-wasm");
  wasm.setWasmPaths(
    fileURLToPath(new URL("../../node_modules/@tensorflow/tfjs-backend-wasm/dist/", import.meta.url)),
  );
  await tf.setBackend("wasm");
  const model = tf.sequential({
    layers: LAYERS.map(({ units, activation }, i) =>
      tf.layers.dense({ units, activation, ...(i === 0 ? { inputShape: [INPUTS] } : {}) }),
    ),
  });
  const time = (runs: number, work: () => void): number => {
    for (let i = 0; i < runs / 10; i++) work();
    const startedAt = performance.now();
    for (let i = 0; i < runs; i++) work();
    return ((performance.now() - startedAt) * 1_000) / runs;
  };
  const [ours = NaN, theirs = NaN] = await interleave(5, [
    async () => time(50_000, () => scorer.score(row)),
    async () =>
      time(2_000, () =>
        tf.tidy(() => {
          const out = model.predict(tf.tensor2d([row]));
          (Array.isArray(out) ? out[0] : out)?.dataSync();
        }),
      ),
  ]);
  return [
    {
      what: "scoring one row, 32-64-32-32",
      measured: `${ours.toFixed(2)} µs`,
      reference: `${theirs.toFixed(2)} µs TensorFlow.js wasm predict`,
      value: theirs / ours,
      mark: "at least 8 times",
      reached: theirs / ours >= 8,
    },
  ];
}
