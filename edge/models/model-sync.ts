import { desiredKey, reportedKey } from "@sluice/shared/contract/lake-key.ts";
import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import type { DesiredState, ModelVersion, ReportedState } from "@sluice/shared/contract/fleet.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { Random } from "@sluice/shared/runtime/random.ts";
import { backoffMs } from "@sluice/shared/runtime/retry.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { BundleFolder } from "./bundle-folder.ts";
import { DESIRED_BYTES_MAX, parseDesired } from "./desired.ts";
import { isDamage } from "./download.ts";
import { InstalledModel, type ModelSlot } from "./installed-model.ts";
import type { ModelsSettings } from "./settings.ts";

/** What the rest of the gateway adds to its report. */
export type GatewayReport = Pick<
  ReportedState,
  "epoch" | "softwareVersion" | "viewHashes" | "counters" | "delivery"
>;

export interface ModelSyncOptions {
  readonly store: Pick<ObjectStore, "get" | "head" | "put">;
  /** The folder of this gateway's bundles; made when needed. */
  readonly dir: string;
  readonly gateway: string;
  /** PEM, as `readPublicKeys` gives them. */
  readonly publicKeys: readonly string[];
  readonly slot: ModelSlot;
  readonly report: () => GatewayReport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly settings: Omit<ModelsSettings, "publicKeys">;
  /** Called once when a promise of ours is broken and no model will be looked for any more. */
  readonly failed?: (error: Error) => void;
}

type Refusal = NonNullable<ReportedState["refusal"]>;

/** Where the flow of models stands, for the status page. Counts are since the start. */
export interface ModelSyncStats {
  /** The desired revision that was answered last. */
  readonly desiredRevision: number;
  readonly refusal: Refusal | undefined;
  /** Tries in a row that the lake, or our disk, did not answer; 0 while all is well. */
  readonly failedCount: number;
  /** What the newest of these tries failed with. */
  readonly failure: { readonly code: string; readonly message: string } | undefined;
  readonly installedCount: number;
  readonly refusedCount: number;
  readonly damagedDownloadCount: number;
}

/** Longest refusal that is reported, in UTF-16 units: a report stays small. */
const MESSAGE_LENGTH_MAX = 2_000;

/**
 * The flow that comes down: what the cloud wants of this gateway → a verified bundle on disk → the slot.
 *
 * Starts from disk, so that it works without an uplink. A wish that cannot be met is refused once, with its reason in
 * `reported.json`, and tried again only when the wish changes; damage on the way is tried again a few times first. A
 * lake that is away is asked again with back-off, for ever. Whatever happens, the model that runs goes on.
 */
export class ModelSync implements Part {
  readonly name = "models";
  readonly #options: ModelSyncOptions;
  readonly #installed: InstalledModel;
  #etag: string | undefined;
  /** A wish that is neither met nor refused yet. */
  #wish: DesiredState | undefined;
  #refusal: Refusal | undefined;
  /** Downloads of the wish that arrived damaged. */
  #damagedCount = 0;
  /** Tries in a row that the lake, or our disk, did not answer. */
  #failedCount = 0;
  #failure: ModelSyncStats["failure"];
  #installedCount = 0;
  #refusedCount = 0;
  #damagedDownloadCount = 0;
  /** Monotonic; undefined while something new is to be reported. */
  #reportedAtUs: number | undefined;
  #loaded = false;
  #stopping = false;
  #nudged = false;
  #sleep = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: ModelSyncOptions) {
    this.#options = options;
    const { dir, slot, publicKeys, store, clock, settings } = options;
    this.#installed = new InstalledModel({
      folder: new BundleFolder(dir),
      slot,
      publicKeys,
      source: { store, bundleBytesMax: settings.bundleBytesMax },
      clock,
    });
  }

  /** Puts the last good bundle into the slot. `start` does it where nobody did before. */
  async loadFromDisk(): Promise<void> {
    this.#loaded = true;
    const { log } = this.#options;
    try {
      for (const { model, error } of await this.#installed.load()) {
        log.warn({ ...model, code: error.code }, `a bundle on disk was refused: ${describeError(error)}`);
        this.#noteRefusal(error, model);
      }
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      log.warn({ code: error.code }, `no model was loaded from disk: ${describeError(error)}`);
      this.#noteRefusal(error, undefined);
    }
  }

  async start(): Promise<void> {
    if (!this.#loaded) await this.loadFromDisk();
    this.#running = this.#run().catch((error: unknown) => {
      const failure = error instanceof Error ? error : new Error(String(error));
      this.#options.log.error({}, `looking for models has ended: ${failure.stack ?? failure.message}`);
      this.#options.failed?.(failure);
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#sleep.abort();
    await this.#running;
  }

  /** Looks at the desired state now and not at the next poll. */
  nudge(): void {
    this.#nudged = true;
    this.#sleep.abort();
  }

  stats(): ModelSyncStats {
    return {
      desiredRevision: this.#installed.desiredRevision,
      refusal: this.#refusal,
      failedCount: this.#failedCount,
      failure: this.#failure,
      installedCount: this.#installedCount,
      refusedCount: this.#refusedCount,
      damagedDownloadCount: this.#damagedDownloadCount,
    };
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stopping) {
      this.#nudged = false;
      const waitMs = await this.#turn();
      this.#sleep = new AbortController();
      // A nudge that came during the turn may have come too late for it.
      if (!this.#nudged && !this.#stopping) await clock.sleep(waitMs, this.#sleep.signal);
    }
  }

  /** Polls, acts, reports; returns how long to wait for the next turn. */
  async #turn(): Promise<number> {
    const { settings, log } = this.#options;
    // A report is put even where the poll failed: it may be the only thing that still gets through.
    const pollFailure = await this.#attempt(() => this.#poll());
    const reportFailure = await this.#attempt(() => this.#putReportIfDue());
    const failure = pollFailure ?? reportFailure;
    this.#failure = failure && { code: failure.code, message: describeError(failure) };
    if (failure === undefined) {
      if (this.#failedCount > 0) log.info({ tries: this.#failedCount }, "models can be looked for again");
      this.#failedCount = 0;
      return this.#wish === undefined ? settings.pollIntervalMs : this.#backoffMs(this.#damagedCount - 1);
    }
    if (this.#failedCount === 0)
      log.warn(
        { code: failure.code },
        `the model stays as it is until this works: ${describeError(failure)}`,
      );
    return this.#backoffMs(this.#failedCount++);
  }

  async #attempt(work: () => Promise<void>): Promise<PipelineError | undefined> {
    try {
      await work();
      return undefined;
    } catch (error) {
      if (error instanceof PipelineError) return error;
      throw error;
    }
  }

  /** Throws a PipelineError where the lake or the disk did not answer: to be tried again. */
  async #poll(): Promise<void> {
    await this.#readWish();
    const wish = this.#wish;
    if (wish === undefined) return;
    try {
      const changed = await this.#installed.install(wish);
      this.#wish = undefined;
      this.#refusal = undefined;
      this.#reportedAtUs = undefined;
      if (changed) await this.#installedNew(wish);
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      // The cloud should hear of a full disk; of a lake that is away it cannot.
      if (error.code === "models.disk") this.#noteDisk(error, wish);
      if (isTransient(error)) throw error;
      await this.#refuse(wish, error);
    }
  }

  /** Takes up a wish that is new, or refuses one that cannot be read. */
  async #readWish(): Promise<void> {
    const { store, gateway, log } = this.#options;
    const key = desiredKey(gateway);
    const info = await store.head(key);
    if (info === undefined || info.etag === this.#etag) return;
    try {
      if (info.bytes > DESIRED_BYTES_MAX) throw tooLarge(key, info.bytes);
      const result = await store.get(key, this.#etag === undefined ? {} : { unlessEtag: this.#etag });
      if (result.state !== "found") return;
      this.#wish = parseDesired(result.object.body, gateway);
      this.#etag = result.object.etag;
      this.#damagedCount = 0;
    } catch (error) {
      if (!(error instanceof PipelineError) || isTransient(error)) throw error;
      log.warn({ code: error.code }, `the desired state was refused: ${describeError(error)}`);
      this.#etag = info.etag;
      this.#wish = undefined;
      this.#noteRefusal(error, undefined);
    }
  }

  async #refuse(wish: DesiredState, error: PipelineError): Promise<void> {
    const { log, settings } = this.#options;
    if (isDamage(error)) {
      this.#damagedCount++;
      this.#damagedDownloadCount++;
      log.info({ ...wish.champion, code: error.code, attempt: this.#damagedCount }, describeError(error));
      if (this.#damagedCount < settings.downloadAttemptsMax) return;
    }
    log.warn(
      { ...wish.champion, code: error.code },
      `the desired model was refused: ${describeError(error)}`,
    );
    this.#wish = undefined;
    this.#noteRefusal(error, wish.champion);
    await this.#installed.answer(wish.revision);
  }

  #noteRefusal(error: PipelineError, model: ModelVersion | undefined): void {
    this.#refusedCount++;
    this.#refusal = {
      ...model,
      code: error.code,
      message: `${error.message}${error.hint === undefined ? "" : `. ${error.hint}`}`.slice(
        0,
        MESSAGE_LENGTH_MAX,
      ),
    };
    this.#reportedAtUs = undefined;
  }

  #noteDisk(error: PipelineError, wish: DesiredState): void {
    if (this.#refusal?.code !== error.code) this.#noteRefusal(error, wish.champion);
  }

  async #installedNew(wish: DesiredState): Promise<void> {
    const { log } = this.#options;
    this.#installedCount++;
    log.info(
      { ...wish.champion, revision: wish.revision },
      `the slot holds what was desired: ${wish.reason}`,
    );
    try {
      await this.#installed.prune();
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      log.warn({ code: error.code }, `old bundles stay on disk: ${describeError(error)}`);
    }
  }

  #backoffMs(attempt: number): number {
    const { settings, random } = this.#options;
    const { pollIntervalMs, backoffMaxMs } = settings;
    // Never more often than it is asked while all is well.
    const maxMs = Math.max(backoffMaxMs, pollIntervalMs);
    const waitMs = backoffMs({ baseMs: pollIntervalMs * 2, maxMs }, attempt, random);
    return Math.max(pollIntervalMs, Math.round(waitMs));
  }

  async #putReportIfDue(): Promise<void> {
    const { store, gateway, clock, slot, report, settings } = this.#options;
    const elapsedUs = clock.monotonicUs() - (this.#reportedAtUs ?? Number.NEGATIVE_INFINITY);
    if (elapsedUs < settings.reportIntervalMs * 1_000) return;
    const champion = slot.current();
    const { sinceUs } = this.#installed;
    const state: ReportedState = {
      ...report(),
      formatVersion: 1,
      gateway,
      reportedAtUs: clock.nowUs(),
      desiredRevision: this.#installed.desiredRevision,
      ...(champion === undefined ? {} : { champion }),
      ...(champion === undefined || sinceUs === undefined ? {} : { championSinceUs: sinceUs }),
      ...(this.#refusal === undefined ? {} : { refusal: this.#refusal }),
    };
    await store.put(reportedKey(gateway), new TextEncoder().encode(canonicalJson(state)));
    this.#reportedAtUs = clock.monotonicUs();
  }
}

/** A store or a disk that does not answer says nothing against the model: the wish stays. */
const isTransient = (error: PipelineError): boolean =>
  error.code.startsWith("store.") || error.code === "models.disk";

const tooLarge = (key: string, bytes: number): PipelineError =>
  new PipelineError("desired.invalid", `${key} has ${bytes} bytes, the limit is ${DESIRED_BYTES_MAX}`, {
    hint: "Roll the model out again with sluice-cloud rollout.",
  });
