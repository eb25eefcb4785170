// The worker thread: owns the buffer, everything after the acknowledgement, and the way to the lake.
import { parentPort, workerData } from "node:worker_threads";
import { present } from "@sluice/shared/runtime/assert.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { writeCompiledCode } from "@sluice/shared/runtime/compiled-code.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { createLog } from "@sluice/shared/runtime/log.ts";
import { newUuid, seededRandom } from "@sluice/shared/runtime/random.ts";
import { diskFailure } from "./buffer/disk-failure.ts";
import { type FromWorker, toFailure, type ToWorker, type WorkerData } from "./pipeline-messages.ts";
import { PipelineHost } from "./pipeline-host.ts";

const port = present(parentPort, "the pipeline runs in a worker thread");
const send = (message: FromWorker, transfer: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);

async function main(): Promise<void> {
  const { settings, groups }: WorkerData = workerData;
  const bootId = newUuid();
  const host = await PipelineHost.open({
    settings,
    bootId,
    groups,
    clock: systemClock,
    random: seededRandom(Number.parseInt(bootId.slice(0, 8), 16)),
    log: createLog("gateway-pipeline", settings.log.level),
    announce: (announcement) => send({ kind: "announcement", announcement }),
    failed: (error) => send({ kind: "failed", failure: toFailure(error) }),
  });
  port.on("message", (message: ToWorker) => {
    answer(host, message).catch((error: unknown) => sendFailed(error));
  });
  send({ kind: "ready", epoch: host.epoch });
  writeCompiledCode();
}

async function answer(host: PipelineHost, message: ToWorker): Promise<void> {
  switch (message.kind) {
    case "snapshot":
      send({ kind: "snapshot", id: message.id, snapshot: host.snapshot() });
      return;
    case "online":
      try {
        send({ kind: "online", id: message.id, outcome: host.online(message.query) });
      } catch (error) {
        send({ kind: "online", id: message.id, outcome: toFailure(error) });
      }
      return;
    case "nudge":
      host.nudge();
      return;
    case "stop":
      await host.stop(message.deadlineMs);
      send({ kind: "stopped" });
      port.close();
  }
}

/** Whatever says that the disk fails is told as such: what it says besides is a consequence. */
function sendFailed(error: unknown): void {
  send({ kind: "failed", failure: toFailure(diskFailure(error) ?? error) });
}

main().catch((error: unknown) =>
  sendFailed(error instanceof PipelineError ? error : new Error(describeError(error), { cause: error })),
);
