import { spawnSync } from "node:child_process";
import { createScorer } from "@sluice/shared/model/scorer.ts";
import { SimulatedClock, systemClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { expect, test } from "vitest";
import { fitAutoencoder, planLayers, wasmFolder } from "../../../cloud/training/autoencoder.ts";
import type { TrainingJob } from "../../../cloud/training/training-job.ts";

function job(changed: Partial<TrainingJob> = {}): TrainingJob {
  const random = seededRandom(9);
  const noise = (rows: number): Float32Array =>
    Float32Array.from({ length: rows * 4 }, () => random.normal());
  return {
    inputs: 4,
    fit: noise(128),
    heldOut: noise(32),
    layers: planLayers(4, "auto"),
    seed: 1,
    epochsMax: 3,
    patienceEpochs: 3,
    batchRows: 32,
    learningRate: 0.01,
    wasmFolder: wasmFolder(),
    ...changed,
  };
}

const options = { clock: systemClock, minutesMax: 1 };

test("fitting lowers the loss and reports each epoch", async () => {
  const epochs: number[] = [];
  const losses: number[] = [];
  const outcome = await fitAutoencoder(job({ epochsMax: 20 }), {
    ...options,
    onEpoch: ({ epoch, loss }) => {
      epochs.push(epoch);
      losses.push(loss);
    },
  });
  expect(epochs).toEqual(Array.from({ length: outcome.epochs }, (_, i) => i + 1));
  expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) * 0.9);
});

test("without WebAssembly the plain backend is used, recorded and warned of, and its model scores alike", async () => {
  const wasm = await fitAutoencoder(job(), options);
  const plain = await fitAutoencoder(job({ wasmFolder: `${wasmFolder()}not-here/` }), options);
  expect(wasm.backend).toMatch(/^tfjs-wasm/);
  expect(wasm.warnings).toEqual([]);
  expect(plain.backend).toMatch(/^tfjs-cpu/);
  expect(plain.warnings).toEqual([expect.stringContaining("could not load WebAssembly")]);
  for (const [row, score] of plain.heldOutScores.entries())
    expect(Math.abs(score - (wasm.heldOutScores[row] ?? 0)) / score).toBeLessThan(1e-3);
});

test("the library's reconstruction errors are the gateway's scores, for every activation", async () => {
  for (const activation of ["tanh", "relu", "sigmoid"] as const) {
    const layers = planLayers(4, [6, 2]).map((layer, i) => (i < 2 ? { ...layer, activation } : layer));
    const given = job({ layers });
    const { weights, heldOutScores } = await fitAutoencoder(given, options);
    const scorer = createScorer({
      manifest: {
        inputs: ["a", "b", "c", "d"],
        normalization: { mean: [0, 0, 0, 0], scale: [1, 1, 1, 1] },
        network: { kind: "autoencoder", layers },
      },
      weights,
    });
    for (const [row, theirs] of heldOutScores.entries())
      expect(scorer.score(given.heldOut.subarray(row * 4, row * 4 + 4)).score).toBeCloseTo(theirs, 5);
  }
});

test("another process fits the same weights, and the library prints nothing", () => {
  const script = `
    import { createHash } from "node:crypto";
    import { systemClock } from "@sluice/shared/runtime/clock.ts";
    import { fitAutoencoder } from "./cloud/training/autoencoder.ts";
    const job = JSON.parse(process.argv[1]);
    job.fit = Float32Array.from(job.fit);
    job.heldOut = Float32Array.from(job.heldOut);
    const { weights } = await fitAutoencoder(job, { clock: systemClock, minutesMax: 1 });
    console.log(createHash("sha256").update(new Uint8Array(weights.buffer)).digest("hex"));
  `;
  const given = job();
  const plain = JSON.stringify({ ...given, fit: [...given.fit], heldOut: [...given.heldOut] });
  const [first, second] = [1, 2].map(() =>
    spawnSync(process.execPath, ["--input-type=module", "--eval", script, plain], {
      cwd: new URL("../../../", import.meta.url),
      encoding: "utf8",
    }),
  );
  expect(first?.stdout).toMatch(/^[0-9a-f]{64}\n$/);
  expect(second?.stdout).toBe(first?.stdout);
  expect(first?.stderr).toBe("");
});

test("a loss that is not finite is refused", async () => {
  const heldOut = new Float32Array(32 * 4).fill(NaN);
  await expect(fitAutoencoder(job({ heldOut }), options)).rejects.toMatchObject({
    code: "training.diverged",
  });
});

test("a job that the library refuses is an error with its reason", async () => {
  const wrong = job({ layers: [{ units: 3, activation: "linear" }] });
  await expect(fitAutoencoder(wrong, options)).rejects.toMatchObject({ code: "training.failed" });
});

test("an aborted fit stops at once, before or while it runs", async () => {
  const long = job({ epochsMax: 1_000_000, patienceEpochs: 1_000_000 });
  await expect(fitAutoencoder(long, { ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: "training.stopped",
  });
  const stop = new AbortController();
  const running = fitAutoencoder(long, { ...options, signal: stop.signal, onEpoch: () => stop.abort() });
  await expect(running).rejects.toMatchObject({ code: "training.stopped" });
});

test("a fit that takes longer than allowed is ended", async () => {
  const clock = new SimulatedClock(0);
  const long = job({ epochsMax: 1_000_000, patienceEpochs: 1_000_000 });
  const running = fitAutoencoder(long, {
    clock,
    minutesMax: 2,
    onEpoch: ({ epoch }) => {
      if (epoch === 1) void clock.advance(121_000);
    },
  });
  await expect(running).rejects.toMatchObject({ code: "training.timeout" });
});

test("a planned network narrows to a bottleneck and ends as wide as it began", () => {
  const units = (inputs: number): number[] => planLayers(inputs, "auto").map((layer) => layer.units);
  expect(units(1)).toEqual([2, 1, 2, 1]);
  expect(units(32)).toEqual([64, 11, 64, 32]);
  expect(units(300)).toEqual([300, 100, 300, 300]);
  expect(planLayers(3, [5, 2])).toEqual([
    { units: 5, activation: "relu" },
    { units: 2, activation: "tanh" },
    { units: 3, activation: "linear" },
  ]);
});
