import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { OnlineAnswer, OnlineQuery } from "@sluice/shared/contract/online.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import { diskFailure } from "./buffer/disk-failure.ts";
import { DiskOutage } from "./buffer/disk-outage.ts";
import type { GatewaySettings } from "./settings.ts";
import type { GroupMessage, SettledMessage } from "./log-messages.ts";
import type { PipelineSnapshot } from "./status/gateway-status.ts";
import { fromFailure, type FromWorker, type ToWorker, type WorkerData } from "./pipeline-messages.ts";
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

/** Most times that the buffer is opened anew after damage; a disk that goes on to damage files needs somebody. */
const RESTARTS_MAX = 10;

/**
 * The longest that a group waits for a buffer that is opened anew, before its senders are refused: they wait too, and do
 * not all come again at once to be refused again.
 */
const REOPENING_WAIT_MS = 5_000;

/** The longest that the worker may take to finish its last step and close its files. */
const STOP_DEADLINE_MS = 10_000;

export interface PipelineHooks {
  readonly announced: (announcement: Announcement) => void;
  readonly failed: (error: Error) => void;
  /** The buffer is damaged and is opened anew. */
  readonly damaged: (error: Error) => void;
  /** The disk cannot be written to: nothing is acknowledged until it can. Called once for each outage. */
  readonly refusing: (reason: string) => void;
  /** The disk can be written to again, and the buffer is open. */
  readonly resumed: () => void;
}

/**
 * The worker thread as seen from the main thread: groups go in, commits and announcements come out.
 *
 * After damage, and when the disk cannot be written to, the worker is ended with everything that it had open, and another
 * one opens the buffer anew: from what is on the disk, not from what a failed sync may have left in memory.
 */
export class PipelineThread implements Part {
  readonly name = "pipeline";
  readonly #settings: GatewaySettings;
  readonly #hooks: PipelineHooks;
  readonly #clock: Clock;
  readonly #outage: DiskOutage;
  #worker: Worker | undefined;
  /** Where groups go, and where it is said that they are on disk. */
  #groups: MessagePort | undefined;
  #nextId = 0;
  #restarts = 0;
  #stopping = false;
  /** Why nothing can be committed any more. */
  #ended: Error | undefined;
  #ready: Waiting<string> | undefined;
  #stopped: Waiting<void> | undefined;
  readonly #commits = new Map<number, Waiting<void>>();
  readonly #snapshots = new Map<number, Waiting<PipelineSnapshot>>();
  readonly #queries = new Map<number, Waiting<OnlineAnswer>>();
  /** The newest, for whoever asks while there is no worker. */
  #newest: PipelineSnapshot | undefined;
  /** Wakes the groups that wait for a worker. */
  #restarted = Promise.withResolvers<void>();

  constructor(settings: GatewaySettings, hooks: PipelineHooks, clock: Clock) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#clock = clock;
    this.#outage = new DiskOutage({
      dir: settings.buffer.dir,
      clock,
      began: hooks.refusing,
      ended: hooks.resumed,
    });
  }

  async start(): Promise<void> {
    const { promise, ...waiting } = Promise.withResolvers<string>();
    this.#ready = waiting;
    this.#startWorker();
    await promise;
    this.#ready = undefined;
  }

  #startWorker(): void {
    const { port1: groups, port2 } = new MessageChannel();
    this.#groups?.close();
    this.#groups = groups;
    groups.on("message", (message: SettledMessage) => this.#settle(message));
    const worker = new Worker(new URL("./pipeline-worker.ts", import.meta.url), {
      workerData: { settings: this.#settings, groups: port2 } satisfies WorkerData,
      transferList: [port2],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB_MAX },
    });
    this.#worker = worker;
    worker.on("message", (message: FromWorker) => {
      if (worker === this.#worker) this.#receive(message);
    });
    worker.on("error", (error) => {
      if (worker === this.#worker) this.#receiveFailure(asError(error));
    });
    worker.on("exit", (code) => {
      if (worker !== this.#worker) return; // Another one has taken its place.
      if (!this.#stopping) this.#fail(new Error(`the pipeline's thread ended with code ${code}`));
      this.#worker = undefined; // A stop has nobody left to wait for.
      this.#stopped?.resolve();
    });
  }

  /**
   * Begins anew: opening the buffer sets aside what is damaged, and the log has every message that was acknowledged.
   * What waits for its commit is not acknowledged, and comes again.
   */
  async #restart(reason: Error, mayOpen: () => Promise<boolean>): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#restarted = Promise.withResolvers();
    for (const waiting of this.#commits.values()) waiting.reject(reason);
    this.#commits.clear();
    for (const waiting of this.#queries.values()) waiting.reject(reason);
    this.#queries.clear();
    await worker?.terminate(); // Its files are closed: nobody writes to what is set aside.
    if (!(await mayOpen()) || this.#stopping) return;
    this.#startWorker();
    for (const id of this.#snapshots.keys()) this.#send({ kind: "snapshot", id });
    this.#restarted.resolve();
  }

  /** Decides what becomes of a worker that cannot go on. */
  #receiveFailure(reason: Error): void {
    if (this.#stopping && diskFailure(reason) !== undefined) {
      this.#stopped?.resolve(); // What was acknowledged is on disk, and nothing else is owed.
      return;
    }
    const { code } = reason instanceof PipelineError ? reason : { code: undefined };
    const mayRestart = this.#ready === undefined && !this.#stopping && this.#ended === undefined;
    const failure = diskFailure(reason) ?? (this.#outage.reason === undefined ? undefined : fullDisk(reason));
    const restart =
      failure !== undefined
        ? () => this.#waitForDisk(failure)
        : code === DAMAGED && this.#restarts < RESTARTS_MAX
          ? () => this.#leaveDamage(reason)
          : undefined;
    if (!mayRestart || restart === undefined) this.#fail(reason);
    else restart().catch((cause: unknown) => this.#fail(asError(cause)));
  }

  #leaveDamage(reason: Error): Promise<void> {
    this.#restarts++;
    this.#hooks.damaged(reason);
    return this.#restart(reason, () => Promise.resolve(true));
  }

  /** Whoever asks meanwhile hears of the outage, and what was last known. */
  #waitForDisk(reason: PipelineError): Promise<void> {
    return this.#restart(reason, () => {
      const mayOpen = this.#outage.wait(reason);
      for (const waiting of this.#snapshots.values()) this.#answerFromMemory(waiting);
      this.#snapshots.clear();
      return mayOpen;
    });
  }

  #answerFromMemory(waiting: Waiting<PipelineSnapshot>): void {
    const refusing = this.#outage.reason;
    if (this.#newest === undefined)
      waiting.reject(new PipelineError("buffer.reopening", `the buffer is opened anew: ${refusing}`));
    else waiting.resolve({ ...this.#newest, refusing });
  }

  /** Hands a group over (the buffer is moved, not copied); resolves when it is on disk. */
  commit(group: ArrayBuffer): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#worker === undefined) return this.#commitLater(group);
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#commits.set(id, { resolve, reject });
      this.#groups?.postMessage({ id, group } satisfies GroupMessage, [group]);
    });
  }

  async #commitLater(group: ArrayBuffer): Promise<void> {
    const waiting = new AbortController();
    await Promise.race([this.#restarted.promise, this.#clock.sleep(REOPENING_WAIT_MS, waiting.signal)]);
    waiting.abort();
    if (this.#worker !== undefined || this.#ended !== undefined) return this.commit(group);
    const why = this.#outage.reason ?? "the buffer is opened anew";
    throw new PipelineError("buffer.reopening", `no message can be stored: ${why}`);
  }

  snapshot(): Promise<PipelineSnapshot> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      if (this.#outage.reason !== undefined) {
        this.#answerFromMemory({ resolve, reject });
        return;
      }
      const id = this.#nextId++;
      this.#snapshots.set(id, { resolve, reject });
      this.#send({ kind: "snapshot", id });
    });
  }

  /** The newest feature vectors of some devices; rejects with PipelineError "features.…" where there is no such view. */
  online(query: OnlineQuery): Promise<OnlineAnswer> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    if (this.#worker === undefined)
      return Promise.reject(new PipelineError("buffer.reopening", "the buffer is opened anew"));
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#queries.set(id, { resolve, reject });
      this.#send({ kind: "online", id, query });
    });
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#outage.halt();
    const worker = this.#worker;
    if (worker === undefined) {
      this.#rejectAll(new PipelineError("gateway.stopped", "the gateway has stopped"));
      return;
    }
    await new Promise<void>((resolve, reject) => {
      this.#stopped = { resolve, reject };
      this.#send({ kind: "stop", deadlineMs: STOP_DEADLINE_MS });
    });
    await worker.terminate();
    this.#groups?.close();
    this.#rejectAll(new PipelineError("gateway.stopped", "the gateway has stopped"));
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #settle({ id, failure }: SettledMessage): void {
    const waiting = this.#commits.get(id);
    this.#commits.delete(id);
    if (failure === undefined) waiting?.resolve();
    else waiting?.reject(fromFailure(failure));
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case "ready":
        this.#ready?.resolve(message.epoch);
        this.#outage.opened();
        return;
      case "snapshot":
        this.#newest = message.snapshot;
        this.#snapshots.get(message.id)?.resolve(message.snapshot);
        this.#snapshots.delete(message.id);
        return;
      case "online": {
        const waiting = this.#queries.get(message.id);
        this.#queries.delete(message.id);
        if ("vectors" in message.outcome) waiting?.resolve(message.outcome);
        else waiting?.reject(fromFailure(message.outcome));
        return;
      }
      case "announcement":
        this.#hooks.announced(message.announcement);
        return;
      case "failed":
        this.#receiveFailure(fromFailure(message.failure));
        return;
      case "stopped":
        this.#stopped?.resolve();
    }
  }

  #fail(error: Error): void {
    this.#rejectAll(error);
    if (this.#ready === undefined) this.#hooks.failed(error);
    else this.#ready.reject(error);
    this.#stopped?.resolve();
  }

  #rejectAll(error: Error): void {
    this.#ended ??= error;
    for (const waitings of [this.#commits, this.#snapshots, this.#queries]) {
      for (const waiting of waitings.values()) waiting.reject(error);
      waitings.clear();
    }
    this.#restarted.resolve();
  }
}

/** While a disk is waited for, one that is full is no reason to end. */
const fullDisk = (error: Error): PipelineError | undefined =>
  error instanceof PipelineError && error.code === "buffer.disk_full" ? error : undefined;

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
