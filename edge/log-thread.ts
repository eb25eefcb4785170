import { type MessagePort, Worker } from "node:worker_threads";
import type { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { LogNotice } from "./buffer/log-notices.ts";
import type { SegmentLog } from "./buffer/segment-log.ts";
import type { FromLog, LogWorkerData, ToLog } from "./log-messages.ts";
import { fromFailure } from "./pipeline-messages.ts";

/** Megabytes of the thread's young generation: it makes next to no garbage. */
const YOUNG_GENERATION_MB_MAX = 4;

export interface LogThreadOptions {
  readonly log: SegmentLog;
  readonly data: Pick<LogWorkerData, "bufferDir" | "encryptionKeyFile" | "bootId">;
  /** Where groups come from, and where it is said that they are on disk. */
  readonly groups: MessagePort;
  /** There are more messages to be decoded. */
  readonly stored: () => void;
  /** A group was not stored. */
  readonly refused: (error: PipelineError) => void;
  /** The disk budget is reached: what can go should. */
  readonly makeRoom: () => void;
  /** Called when nothing can be appended any more. */
  readonly failed: (error: Error) => void;
}

/**
 * The thread that appends to the log, as seen from the pipeline's: from when it is made, nothing that is done there
 * holds up an acknowledgement.
 */
export class LogThread {
  readonly #options: LogThreadOptions;
  readonly #worker: Worker;
  readonly #stopped = Promise.withResolvers<void>();
  /** Bytes of groups on their way from that thread to this one. */
  readonly #handedOnBytes = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #spare: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(options: LogThreadOptions) {
    this.#options = options;
    const { log, data, groups, failed } = options;
    const handedOnBytes = this.#handedOnBytes;
    const worker = new Worker(new URL("./log-worker.ts", import.meta.url), {
      workerData: { ...data, ...log.handOver(), groups, handedOnBytes } satisfies LogWorkerData,
      transferList: [groups],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB_MAX },
    });
    this.#worker = worker;
    worker.on("message", (message: FromLog) => {
      try {
        this.#hear(message);
      } catch (error) {
        failed(asError(error));
      }
    });
    worker.on("error", (error) => {
      this.#stopped.resolve();
      failed(asError(error));
    });
    worker.on("exit", (code) => {
      this.#stopped.resolve();
      if (!this.#isStopping) failed(new Error(`the log's thread ended with code ${code}`));
    });
    this.#offerSpare();
  }

  /** Says what the rest of the buffer takes of the budget. */
  tellRoom(): void {
    this.#send({ kind: "room", room: this.#options.log.room() });
  }

  /** Everything that it has taken is on disk, and the log knows it, when this resolves. */
  async stop(): Promise<void> {
    if (!this.#isStopping) this.#send({ kind: "stop" });
    this.#isStopping = true;
    await Promise.all([this.#stopped.promise, this.#spare]);
  }

  #send(message: ToLog): void {
    this.#worker.postMessage(message);
  }

  #hear(message: FromLog): void {
    switch (message.kind) {
      case "notice":
        this.#follow(message.notice);
        return;
      case "room-wanted":
        this.#options.makeRoom();
        this.tellRoom();
        return;
      case "refused":
        this.#options.refused(fromFailure(message.failure));
        return;
      case "stopped":
        this.#stopped.resolve();
    }
  }

  #follow(notice: LogNotice): void {
    const full = this.#options.log.follow(notice);
    if (full !== undefined) this.#send({ kind: "release", offset: full });
    if (notice.kind === "changed") this.#offerSpare();
    if (notice.kind !== "stored") return;
    Atomics.sub(this.#handedOnBytes, 0, notice.group?.byteLength ?? 0);
    this.#options.stored();
  }

  #offerSpare(): void {
    this.tellRoom();
    this.#spare = this.#sendSpare();
  }

  async #sendSpare(): Promise<void> {
    const path = await this.#options.log.makeSpare();
    if (path !== undefined && !this.#isStopping) this.#send({ kind: "spare", path });
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
