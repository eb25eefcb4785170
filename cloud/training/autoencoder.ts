import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { EpochReport, Layers, TrainingJob, TrainingOutcome, WorkerMessage } from "./training-job.ts";

export interface AutoencoderOptions {
  readonly clock: Clock;
  /** Most minutes that fitting may take. */
  readonly minutesMax: number;
  readonly onEpoch?: (report: EpochReport) => void;
  readonly signal?: AbortSignal;
}

/** Where npm put the library's WebAssembly files. */
export function wasmFolder(): string {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json")), "dist", "/");
}

/** Up to so many inputs the outer layers are twice as wide; fitting wider ones takes minutes. */
const DOUBLED_INPUTS_MAX = 64;

/**
 * The layers of an autoencoder of `inputs` inputs: through a bottleneck, and out linearly.
 *
 * "auto" is twice the inputs, a third of them, twice again. The narrowest hidden layer is tanh: bounded, so that what
 * lies outside the healthy range cannot pass and shows in the score, also where all features move together as they do
 * in health. The others are relu, which follow the healthy range to its edges; tanh there flattens them, and the
 * threshold then has to stand several times higher.
 */
export function planLayers(inputs: number, hiddenUnits: "auto" | readonly number[]): Layers {
  const wide = Math.max(inputs, 2 * Math.min(inputs, DOUBLED_INPUTS_MAX));
  const hidden = hiddenUnits === "auto" ? [wide, Math.ceil(inputs / 3), wide] : hiddenUnits;
  const narrowest = hidden.indexOf(hidden.reduce((a, b) => Math.min(a, b)));
  return [
    ...hidden.map((units, i) => ({
      units,
      activation: i === narrowest ? ("tanh" as const) : ("relu" as const),
    })),
    { units: inputs, activation: "linear" as const },
  ];
}

/**
 * Fits an autoencoder in a worker thread. The same job gives the same weights, bit for bit, on the same backend.
 *
 * Throws PipelineError "training.stopped" when the signal aborts, "training.timeout" when it takes too long,
 * "training.diverged" when no pass gave a finite loss, "training.failed" when the worker dies.
 */
export async function fitAutoencoder(
  job: TrainingJob,
  options: AutoencoderOptions,
): Promise<TrainingOutcome> {
  const stopped = (): PipelineError => new PipelineError("training.stopped", "fitting was stopped");
  if (options.signal?.aborted === true) throw stopped();
  // No flags of the parent: some (--input-type, --eval) would change how the worker's file is read.
  const worker = new Worker(new URL("./training-worker.ts", import.meta.url), {
    workerData: job,
    execArgv: [],
  });
  const timer = new AbortController();
  const { promise, resolve, reject } = Promise.withResolvers<TrainingOutcome>();
  const stop = (): void => reject(stopped());
  worker.on("message", (message: WorkerMessage) => {
    if (message.type === "epoch") options.onEpoch?.(message.report);
    else if (message.type === "done") resolve(message.outcome);
    else reject(divergedError(message.epoch));
  });
  worker.on("error", (cause) => reject(failedError("the training thread failed", cause)));
  worker.on("exit", (code) => reject(failedError(`the training thread ended with code ${code}`)));
  options.signal?.addEventListener("abort", stop);
  try {
    return await Promise.race([promise, timeout(options, timer.signal)]);
  } finally {
    timer.abort();
    options.signal?.removeEventListener("abort", stop);
    await worker.terminate();
  }
}

/** Throws when the time is up; says nothing when it is not needed any more. */
async function timeout({ clock, minutesMax }: AutoencoderOptions, done: AbortSignal): Promise<never> {
  await clock.sleep(minutesMax * 60_000, done);
  throw new PipelineError("training.timeout", `fitting took more than ${minutesMax} minutes`, {
    hint: "Raise minutesMax, or lower epochsMax or rowsMax.",
  });
}

function divergedError(epoch: number): PipelineError {
  return new PipelineError("training.diverged", `the loss was not finite in epoch ${epoch}`, {
    hint: "Set a smaller learningRate, and look for features with extreme values.",
  });
}

function failedError(message: string, cause?: unknown): PipelineError {
  return new PipelineError("training.failed", message, {
    cause,
    hint: "If it ran out of memory, lower rowsMax.",
  });
}
