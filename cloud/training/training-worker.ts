// Runs in its own thread, because fitting blocks its event loop for as long as it takes.
import { parentPort, workerData } from "node:worker_threads";
import { present } from "@sluice/shared/runtime/assert.ts";
import { seededRandom, type Random } from "@sluice/shared/runtime/random.ts";
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import type { TrainingJob, TrainingOutcome, WorkerMessage } from "./training-job.ts";

/** A loss must be better by this share to count: otherwise the last digits would keep the fitting alive. */
const IMPROVEMENT_MIN = 1e-3;

const job: TrainingJob = workerData;
const port = present(parentPort, "this module is the start of a worker thread");
const say = (message: WorkerMessage): void => port.postMessage(message);

const { backend, warnings } = await chooseBackend(job.wasmFolder);
const model = createModel(job);
await fit(model);

/** WebAssembly, or plain JavaScript where it cannot be loaded: some 3 times slower, and with other last digits. */
async function chooseBackend(wasmFolder: string): Promise<{ backend: string; warnings: string[] }> {
  // Quiet: the library otherwise prints an advertisement for another package on first use.
  tf.enableProdMode();
  setWasmPaths(wasmFolder);
  if (await tf.setBackend("wasm").catch(() => false)) {
    const simd = await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT");
    return { backend: `tfjs-wasm${simd === true ? "-simd" : ""} ${tf.version.tfjs}`, warnings: [] };
  }
  await tf.setBackend("cpu");
  const warning = `TensorFlow.js could not load WebAssembly from ${wasmFolder}; the plain JavaScript backend was used`;
  return { backend: `tfjs-cpu ${tf.version.tfjs}`, warnings: [warning] };
}

function createModel({ inputs, layers, learningRate, seed }: TrainingJob): tf.Sequential {
  const sequential = tf.sequential();
  for (const [position, { units, activation }] of layers.entries())
    sequential.add(
      tf.layers.dense({
        units,
        activation,
        kernelInitializer: tf.initializers.glorotUniform({ seed: seed * 16 + position }),
        ...(position === 0 ? { inputShape: [inputs] } : {}),
      }),
    );
  sequential.compile({ optimizer: tf.train.adam(learningRate), loss: "meanSquaredError" });
  return sequential;
}

async function fit(model: tf.Sequential): Promise<void> {
  const random = seededRandom(job.seed);
  let best: Omit<TrainingOutcome, "epochs"> | undefined;
  let epoch = 0;
  while (epoch < job.epochsMax && epoch - (best?.bestEpoch ?? 0) < job.patienceEpochs) {
    epoch++;
    const loss = await fitEpoch(model, random);
    const heldOutScores = rowErrors(model, job.heldOut);
    const heldOutLoss = heldOutScores.reduce((sum, score) => sum + score, 0) / heldOutScores.length;
    if (!Number.isFinite(loss) || !Number.isFinite(heldOutLoss)) break;
    say({ type: "epoch", report: { epoch, loss, heldOutLoss } });
    if (best !== undefined && heldOutLoss > best.heldOutLoss * (1 - IMPROVEMENT_MIN)) continue;
    const weights = weightsOf(model);
    best = { weights, backend, warnings, bestEpoch: epoch, loss, heldOutLoss, heldOutScores };
  }
  if (best === undefined) say({ type: "diverged", epoch });
  else say({ type: "done", outcome: { ...best, epochs: epoch } });
}

/** One pass over the rows in an order of our own seed: the library's own shuffling cannot be seeded. */
async function fitEpoch(model: tf.Sequential, random: Random): Promise<number> {
  const { inputs, fit: rows, batchRows } = job;
  const count = rows.length / inputs;
  const order = shuffled(count, random);
  const batch = new Float32Array(Math.min(batchRows, count) * inputs);
  let sum = 0;
  for (let from = 0; from < count; from += batchRows) {
    const chosen = order.subarray(from, from + batchRows);
    for (const [target, row] of chosen.entries())
      batch.set(rows.subarray(row * inputs, (row + 1) * inputs), target * inputs);
    const x = tf.tensor2d(batch.slice(0, chosen.length * inputs), [chosen.length, inputs]);
    sum += Number(await model.trainOnBatch(x, x)) * chosen.length;
    x.dispose();
  }
  return sum / count;
}

function shuffled(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.int(i + 1);
    const other = order[j] ?? 0;
    order[j] = order[i] ?? 0;
    order[i] = other;
  }
  return order;
}

/** The squared error of each row, averaged over the inputs. */
function rowErrors(model: tf.Sequential, rows: Float32Array): Float32Array {
  const errors = tf.tidy(() => {
    const x = tf.tensor2d(rows, [rows.length / job.inputs, job.inputs]);
    const output = present([model.predict(x)].flat()[0], "a model of one output");
    return tf.squaredDifference(x, output).mean(1);
  });
  const values = Float32Array.from(errors.dataSync());
  errors.dispose();
  return values;
}

function weightsOf(model: tf.Sequential): Float32Array {
  const parts = model.getWeights().map((tensor) => tensor.dataSync());
  const weights = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    weights.set(part, position);
    position += part.length;
  }
  return weights;
}
