import { Worker } from "node:worker_threads";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import type { GatewaySettings } from "./config.ts";
import type { PipelineSnapshot } from "./status/gateway-status.ts";
import { fromFailure, type FromWorker, type ToWorker } from "./pipeline-messages.ts";
import type { Announcement } from "./pipeline.ts";

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Megabytes of the worker's young generation. Steps and batches leave little alive: more room would only let garbage
 * lie longer, and be given back to nobody.
 */
const YOUNG_GENERATION_MB_MAX = 12;

/** The buffer's word for damage that opening it anew contains. */
const DAMAGED = "buffer.damaged";

/** Most times that the buffer is opened anew; a disk that goes on to fail needs somebody. */
const RESTARTS_MAX = 10;

/** The longest that the worker may take to finish its last step and close its files. */
const STOP_DEADLINE_MS = 10_000;

/** The worker thread as seen from the main thread: groups go in, commits and announcements come out. */
export class PipelineThread implements Part {
  readonly name = "pipeline";
  readonly #settings: GatewaySettings;
  readonly #announced: (announcement: Announcement) => void;
  readonly #failed: (error: Error) => void;
  readonly #damaged: (error: Error) => void;
  #worker: Worker | undefined;
  #nextId = 0;
  #restarts = 0;
  #stopping = false;
  /** Why nothing can be committed any more. */
  #ended: Error | undefined;
  #ready: Waiting<string> | undefined;
  #stopped: Waiting<void> | undefined;
  readonly #commits = new Map<number, Waiting<void>>();
  readonly #snapshots = new Map<number, Waiting<PipelineSnapshot>>();

  constructor(
    settings: GatewaySettings,
    hooks: {
      readonly announced: (announcement: Announcement) => void;
      readonly failed: (error: Error) => void;
      /** The buffer is damaged and is opened anew. */
      readonly damaged: (error: Error) => void;
    },
  ) {
    this.#settings = settings;
    this.#announced = hooks.announced;
    this.#failed = hooks.failed;
    this.#damaged = hooks.damaged;
  }

  async start(): Promise<void> {
    const { promise, ...waiting } = Promise.withResolvers<string>();
    this.#ready = waiting;
    this.#startWorker();
    await promise;
    this.#ready = undefined;
  }

  #startWorker(): void {
    const worker = new Worker(new URL("./pipeline-worker.ts", import.meta.url), {
      workerData: this.#settings,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB_MAX },
    });
    this.#worker = worker;
    worker.on("message", (message: FromWorker) => {
      if (worker === this.#worker) this.#receive(message);
    });
    worker.on("error", (error) => this.#fail(asError(error)));
    worker.on("exit", (code) => {
      if (worker !== this.#worker) return; // Another one has taken its place.
      if (!this.#stopping) this.#fail(new Error(`the pipeline's thread ended with code ${code}`));
      this.#worker = undefined; // A stop has nobody left to wait for.
      this.#stopped?.resolve();
    });
  }

  /**
   * Begins anew after damage in the buffer: opening it sets aside what is damaged, and the log has every message that
   * was acknowledged. What waits for its commit is not acknowledged, and comes again.
   */
  async #restart(error: Error): Promise<void> {
    const damaged = this.#worker;
    this.#worker = undefined;
    this.#restarts++;
    this.#damaged(error);
    for (const waiting of this.#commits.values()) waiting.reject(error);
    this.#commits.clear();
    await damaged?.terminate(); // Its files are closed: nobody writes to what is set aside.
    if (this.#stopping) return;
    this.#startWorker();
    for (const id of this.#snapshots.keys()) this.#send({ kind: "snapshot", id });
  }

  /** Hands a group over (the buffer is moved, not copied); resolves when it is on disk. */
  commit(group: ArrayBuffer): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#worker === undefined)
      return Promise.reject(new PipelineError("buffer.reopening", "the buffer is opened anew"));
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#commits.set(id, { resolve, reject });
      this.#send({ kind: "group", id, group }, [group]);
    });
  }

  snapshot(): Promise<PipelineSnapshot> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#snapshots.set(id, { resolve, reject });
      this.#send({ kind: "snapshot", id });
    });
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    await new Promise<void>((resolve, reject) => {
      this.#stopped = { resolve, reject };
      this.#send({ kind: "stop", deadlineMs: STOP_DEADLINE_MS });
    });
    await worker.terminate();
    this.#rejectAll(new PipelineError("gateway.stopped", "the gateway has stopped"));
  }

  #send(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transfer);
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case "ready":
        this.#ready?.resolve(message.epoch);
        return;
      case "settled": {
        const waiting = this.#commits.get(message.id);
        this.#commits.delete(message.id);
        if (message.failure === undefined) waiting?.resolve();
        else waiting?.reject(fromFailure(message.failure));
        return;
      }
      case "snapshot":
        this.#snapshots.get(message.id)?.resolve(message.snapshot);
        this.#snapshots.delete(message.id);
        return;
      case "announcement":
        this.#announced(message.announcement);
        return;
      case "failed": {
        const error = fromFailure(message.failure);
        const isDamage = error.code === DAMAGED && this.#ready === undefined && !this.#stopping;
        if (isDamage && this.#restarts < RESTARTS_MAX)
          this.#restart(error).catch((cause) => this.#fail(asError(cause)));
        else this.#fail(error);
        return;
      }
      case "stopped":
        this.#stopped?.resolve();
    }
  }

  #fail(error: Error): void {
    this.#rejectAll(error);
    if (this.#ready === undefined) this.#failed(error);
    else this.#ready.reject(error);
    this.#stopped?.resolve();
  }

  #rejectAll(error: Error): void {
    this.#ended ??= error;
    for (const waiting of [...this.#commits.values(), ...this.#snapshots.values()]) waiting.reject(error);
    this.#commits.clear();
    this.#snapshots.clear();
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
