import { join } from "node:path";
import type { MessagePort } from "node:worker_threads";
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { viewKey } from "@sluice/shared/contract/lake-key.ts";
import type { OnlineAnswer, OnlineQuery } from "@sluice/shared/contract/online.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { Lifecycle } from "@sluice/shared/runtime/lifecycle.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { Random } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { openStore } from "@sluice/shared/store/open.ts";
import { probeStore } from "@sluice/shared/store/probe.ts";
import type { SegmentLog } from "./buffer/segment-log.ts";
import type { StateStore } from "./buffer/state-store.ts";
import { DiskBudget } from "./buffer/disk-budget.ts";
import { quarantineLimit } from "./buffer/quarantine-store.ts";
import { diskFailure } from "./buffer/disk-failure.ts";
import { SOFTWARE_VERSION } from "./config.ts";
import { Decoder } from "./decode/decoder.ts";
import { deliveryOf } from "./delivery.ts";
import { InferenceStage, type Slot } from "./inference/inference-stage.ts";
import { LogThread } from "./log-thread.ts";
import { ModelSync } from "./models/model-sync.ts";
import { readPublicKeys } from "./models/public-keys.ts";
import { PipelineBuffer } from "./pipeline-buffer.ts";
import { type Announcement, Pipeline } from "./pipeline.ts";
import type { PipelineSnapshot } from "./status/gateway-status.ts";
import type { GatewaySettings } from "./settings.ts";
import { StepPace } from "./step-pace.ts";
import { Uplink } from "./sync/uplink.ts";

export interface PipelineHostOptions {
  readonly settings: GatewaySettings;
  readonly bootId: string;
  /** Where groups come from; they go to the thread that appends to the log. */
  readonly groups: MessagePort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly announce: (announcement: Announcement) => void;
  /** Called when nothing can go on. */
  readonly failed: (error: Error) => void;
}

/** How long to wait for room on a full disk before the step is tried again. */
const DISK_FULL_WAIT_MS = 1_000;

/** Most open breakers that the status names; it counts them all. */
const BREAKERS_SHOWN_MAX = 20;

/** The worker's wiring: buffer, pipeline, the uplink and the models that come down. */
export class PipelineHost {
  readonly #options: PipelineHostOptions;
  readonly #buffer: PipelineBuffer;
  readonly #log: SegmentLog;
  readonly #state: StateStore;
  readonly #inference: InferenceStage;
  readonly #pipeline: Pipeline;
  readonly #budget: DiskBudget;
  readonly #uplink: Uplink;
  readonly #models: ModelSync;
  readonly #lifecycle: Lifecycle;
  #logThread: LogThread | undefined;
  readonly #pace: StepPace;
  #stepping = false;
  #stopped = false;
  /** Something failed that this host cannot go on after. */
  #isBroken = false;
  /** Why the newest group was not stored, while the disk is full. */
  #refusing: string | undefined;
  /** Whether a step waits for room on a full disk, so that it is said once. */
  #isStepWaiting = false;

  private constructor(
    options: PipelineHostOptions,
    opened: { store: ObjectStore; publicKeys: readonly string[] },
  ) {
    const { settings, clock, random, log } = options;
    const failed = (error: unknown): void => this.#fail(error);
    const { gateway, buffer } = settings;
    const { store, publicKeys } = opened;
    this.#options = options;
    this.#pace = new StepPace(clock);
    this.#buffer = new PipelineBuffer({
      settings: buffer,
      bootId: options.bootId,
      clock,
      log,
      failed: (error) => this.#noteDisk(error),
    });
    this.#state = this.#buffer.state;
    this.#log = this.#buffer.messages;
    const { epoch } = this.#state;
    const bytesMax = quarantineLimit(buffer);
    this.#inference = new InferenceStage({ settings: settings.inference, gateway });
    this.#pipeline = new Pipeline({
      log: this.#log,
      state: this.#state,
      decoder: new Decoder({
        routes: settings.decode.routes,
        contracts: settings.decode.contracts,
        limits: settings.decode,
        ignoredTopics: settings.decode.ignoredTopics,
      }),
      quarantine: {
        keep: (messages, rows, stored) =>
          this.#buffer.quarantine.keep(messages, rows, { epoch, bytesMax, stored }),
      },
      inference: this.#inference,
      views: settings.features.views,
      contracts: settings.decode.contracts,
      clock,
      bootId: options.bootId,
      announce: options.announce,
      noticed: (events) => {
        for (const { kind, detail, facts } of events)
          if (kind === "clock.stepped" || kind === "breaker.opened") log.warn({ ...facts }, detail);
      },
    });
    this.#budget = new DiskBudget({
      messages: this.#log,
      state: this.#state,
      policy: buffer,
      otherBytes: () => this.#buffer.quarantine.diskBytes(),
      neededFromOffset: () => this.#pipeline.neededFromOffset,
      checkpoint: () => this.#pipeline.checkpoint(),
      settleUs: () => settleUs(this.#pipeline.features.views().map(({ view }) => view)),
      clock,
      log,
    });
    this.#uplink = new Uplink({
      settings: settings.sync,
      gateway,
      store,
      pending: this.#state,
      encode: encodeLanding,
      prove: async () => {
        await probeStore(store);
        await publishViews(store, settings.features.views);
      },
      settleUs: () => settleUs(this.#pipeline.features.views().map(({ view }) => view)),
      clock,
      random,
      log,
      failed,
    });
    this.#models = new ModelSync({
      store,
      dir: join(buffer.dir, "models"),
      gateway,
      publicKeys,
      slot: { current: () => this.#model(), swap: (bundle) => this.#pipeline.swap(bundle) },
      report: () => ({
        epoch: this.#state.epoch,
        softwareVersion: SOFTWARE_VERSION,
        viewHashes: this.#pipeline.features.views().map((view) => view.hash),
        counters: this.#state.counters(),
        delivery: deliveryOf(this.#state, this.#log.nextOffset),
      }),
      clock,
      random,
      log,
      settings: settings.models,
      failed,
    });
    this.#lifecycle = new Lifecycle([this.#uplink, this.#models], clock, log);
  }

  /** Opens the buffer and brings the state up to date with it; then starts what talks to the lake. */
  static async open(options: PipelineHostOptions): Promise<PipelineHost> {
    const { settings, clock, random } = options;
    const store = await openStore(settings.lake, { clock, random });
    const host = new PipelineHost(options, {
      store,
      publicKeys: await readPublicKeys(settings.models.publicKeys),
    });
    await host.#models.loadFromDisk();
    host.#pipeline.begin();
    host.#startLog();
    await host.#lifecycle.start();
    host.#schedule();
    return host;
  }

  get epoch(): string {
    return this.#state.epoch;
  }

  #startLog(): void {
    const { settings, bootId, groups } = this.#options;
    const { dir: bufferDir, encryptionKeyFile } = settings.buffer;
    this.#logThread = new LogThread({
      log: this.#log,
      data: { bufferDir, encryptionKeyFile, bootId },
      groups,
      stored: () => {
        this.#refusing = undefined;
        this.#schedule();
      },
      refused: (error) => {
        if (isDiskFull(error)) this.#refusing = describeError(error);
        this.#noteDisk(error);
      },
      makeRoom: () => void this.#budget.keep(),
      failed: (error) => this.#fail(error),
    });
  }

  /** The newest feature vectors of some devices. Throws PipelineError "features.…" where there is no such view. */
  online(query: OnlineQuery): OnlineAnswer {
    return this.#pipeline.online(query, this.#options.clock.nowUs());
  }

  nudge(): void {
    this.#models.nudge();
  }

  /**
   * Works off what is in the buffer, for half of the deadline at the most because it is safe there, writes a
   * checkpoint, and stops what talks to the lake.
   */
  async stop(deadlineMs: number): Promise<void> {
    const { clock, log } = this.#options;
    this.#stopped = true;
    await this.#logThread?.stop(); // What it has taken is on disk and known here.
    const untilUs = clock.monotonicUs() + deadlineMs * 500;
    try {
      while (!this.#isBroken && this.#pipeline.step() && clock.monotonicUs() < untilUs);
      if (!this.#isBroken) this.#pipeline.checkpoint();
    } catch (error) {
      // Messages and everything committed are on disk; the next start goes on from there.
      if (!(error instanceof PipelineError)) throw error;
      log.warn({ code: error.code }, `stopping with messages in the buffer: ${describeError(error)}`);
    }
    await this.#lifecycle.stop(deadlineMs);
    try {
      this.#buffer.close();
    } catch (error) {
      const failure = diskFailure(error);
      if (failure === undefined) throw error;
      log.warn({ code: failure.code }, `stopping on a disk that fails: ${describeError(failure)}`);
    }
  }

  #schedule(): void {
    const messages = this.#log.nextOffset - this.#state.decodedThrough - 1;
    this.#pace.waiting(messages);
    if (this.#stepping || this.#stopped) return;
    this.#stepping = true;
    void this.#pace.due(messages).then(() => this.#step());
  }

  #step(): void {
    if (this.#stopped || this.#isBroken) return;
    try {
      // Between two steps the thread hears what was stored, makes batches and sends them.
      const isBehind = this.#pace.timed(() => this.#pipeline.step());
      this.#isStepWaiting = false;
      const isOver = this.#budget.keep();
      this.#logThread?.tellRoom();
      if (isOver || isBehind) setImmediate(() => this.#step());
      else {
        this.#stepping = false;
        if (this.#state.decodedThrough + 1 < this.#log.nextOffset) this.#schedule();
      }
    } catch (error) {
      this.#afterFailure(error);
    }
  }

  /** A full disk is waited for; after anything else the log is where it goes on, when the buffer is opened anew. */
  #afterFailure(error: unknown): void {
    const { log } = this.#options;
    if (!isDiskFull(error)) {
      this.#fail(error);
      return;
    }
    if (!this.#isStepWaiting) log.error({ code: error.code }, describeError(error));
    this.#isStepWaiting = true;
    try {
      this.#budget.dropSpareRaw();
    } catch (cause) {
      if (!isDiskFull(cause)) this.#fail(cause);
    }
    void this.#stepLater();
  }

  async #stepLater(): Promise<void> {
    await this.#options.clock.sleep(DISK_FULL_WAIT_MS);
    this.#step();
  }

  /** A disk that cannot be written to ends this host, whoever has found out. */
  #noteDisk(error: unknown): void {
    if (diskFailure(error) !== undefined) this.#fail(error);
  }

  /** Said once: the thread ends with this host. */
  #fail(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#options.failed(diskFailure(error) ?? (error instanceof Error ? error : new Error(String(error))));
  }

  #model(): { readonly model: string; readonly version: number } | undefined {
    const slot = this.#inference.slot();
    return slot.state === "ready" ? slot.model : undefined;
  }

  /** Where messages wait to be worked off, time passes with them. */
  #idleDueAtUs(): number | undefined {
    const { idleDueAtUs } = this.#pipeline.features;
    const isBehind = this.#state.decodedThrough + 1 < this.#log.nextOffset;
    return isBehind || idleDueAtUs === Infinity ? undefined : idleDueAtUs;
  }

  /** Everything that the status says of this thread. */
  snapshot(): PipelineSnapshot {
    const { buffer } = this.#options.settings;
    return {
      epoch: this.#state.epoch,
      refusing: this.#refusing,
      buffer: {
        ...this.#log.stats(),
        decodedThrough: this.#state.decodedThrough,
        deliveredThrough: this.#state.deliveredOffset(),
        outbox: this.#state.outbox(),
        stateBytes: this.#state.diskBytes(),
        diskBytesMax: buffer.diskBytesMax,
        disk: {
          ...this.#budget.use(),
          whenFull: buffer.whenFull,
          thinningMax: buffer.thinningMax,
          thinnable: this.#state.thinnable(),
        },
        derived: this.#state.derived(),
        derivedWrittenBytes: this.#state.writtenBytes,
      },
      clockProblem: this.#pipeline.clockProblem(),
      counters: this.#state.counters(),
      features: {
        views: this.#pipeline.features.views().map(({ view, hash, withheldDevices }) => ({
          name: view.name,
          hash,
          withheldDevices,
        })),
        idleDueAtUs: this.#idleDueAtUs(),
        counters: this.#pipeline.features.counters(),
      },
      contracts: this.#pipeline.contractStatus(BREAKERS_SHOWN_MAX),
      inference: {
        slot: shownSlot(this.#inference.slot()),
        counters: this.#inference.counters(),
        raisedAlerts: this.#inference.raisedCount,
      },
      models: this.#models.stats(),
      sync: this.#uplink.stats(),
    };
  }
}

const isDiskFull = (error: unknown): error is PipelineError =>
  error instanceof PipelineError && error.code === "buffer.disk_full";

/** How long after a reading came every window over it is closed, as long as its device goes on sending. */
const settleUs = (views: readonly FeatureView[]): number =>
  Math.max(
    0,
    // How long a window by count lasts, nobody knows.
    ...views.map(({ window }) =>
      window.kind === "count" ? 0 : (2 * window.sizeMs + window.allowedLatenessMs) * 1_000,
    ),
  );

/** Puts the views of the settings where whoever reads the lake finds the names behind a hash. */
async function publishViews(store: ObjectStore, views: readonly FeatureView[]): Promise<void> {
  for (const view of views)
    await store.put(viewKey(viewHash(view)), new TextEncoder().encode(canonicalJson(view)), {
      ifAbsent: true,
    });
}

/** A slot as it crosses between threads, which do not share error classes. */
function shownSlot(slot: Slot): PipelineSnapshot["inference"]["slot"] {
  return slot.state === "failed" ? { state: "failed", reason: describeError(slot.error) } : slot;
}
