import { fileURLToPath } from "node:url";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import { createScorer, weightCount } from "@sluice/shared/model/scorer.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { type BenchLine, count, interleave } from "./line.ts";
import { readings } from "./readings.ts";

const READINGS = 400_000;
const FUNCTIONS = ["mean", "std", "min", "max", "rms", "peak", "crest_factor", "slope", "first", "last"];

export async function benchEngine(say: (text: string) => void): Promise<readonly BenchLine[]> {
  say("feature engine, landing size");
  const block = readings(READINGS);
  const view = featureViewSchema.parse({
    name: "bench",
    owner: "bench",
    match: { deviceType: "pump" },
    window: { kind: "hopping", sizeMs: 60_000, hopMs: 10_000 },
    inputs: { a: { metric: "vibration" } },
    features: FUNCTIONS.map((fn) => ({ name: fn, fn, of: "a" })),
  });
  const hash = viewHash(view);
  const [perSecond = NaN] = await interleave(3, [
    async () => {
      const startedAt = performance.now();
      new WindowEngine(view, hash, 0).process(block);
      return READINGS / ((performance.now() - startedAt) / 1_000);
    },
  ]);
  const bytes = encodeLanding("readings", [readings(20_000)]).length / 20_000;
  return [
    {
      what: "feature engine, 10 features, 60 s by 10 s, 100 devices",
      measured: `${count(perSecond)} readings/s`,
      reference: "one core",
      value: perSecond,
      mark: "1,000,000 readings/s",
      reached: perSecond >= 1_000_000,
    },
    {
      what: "landing object, 20,000 readings",
      measured: `${bytes.toFixed(2)} bytes/reading`,
      reference: "",
      value: bytes,
      mark: "6 or less",
      reached: bytes <= 6,
    },
  ];
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
