import { viewHash } from "@sluice/shared/codec/hash.ts";
import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import type { Attempt } from "@sluice/shared/contract/attempt.ts";
import { viewKey } from "@sluice/shared/contract/lake-key.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError, recoveryOf } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { putAttempt, readAttempts } from "./attempts.ts";
import { type ModelSettings, SOFTWARE_VERSION } from "./config.ts";
import { buildDataset, type Dataset } from "./dataset/dataset.ts";
import { putDatasetManifest } from "./dataset/manifest.ts";
import { type Champion, evaluate, type Verdict } from "./evaluation/evaluate.ts";
import { renderVerdict } from "./evaluation/render.ts";
import type { Lake } from "./lake/lake.ts";
import type { Registry } from "./registry/registry.ts";
import { fleetState, rollOut } from "./rollout/rollout.ts";
import { type Candidate, trainCandidates } from "./training/train.ts";
import { dueTrigger } from "./trigger.ts";

export interface RetrainOptions {
  readonly settings: ModelSettings;
  readonly store: ObjectStore;
  readonly lake: Lake;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who set an alias, as the history says it. */
const LOOP = "sluice-cloud learning loop";

/**
 * The learning loop of one model, in flow order: trigger, dataset, training, evaluation, registry, rollout.
 *
 * Every run is recorded in the lake with its trigger, numbers and reasons, whatever came of it. A run that dies
 * leaves no half version: a version exists once its last object does, and is champion once the alias says so.
 */
export class Retraining {
  readonly #options: RetrainOptions;
  readonly #viewHash: string;
  #activity = "waiting for vectors";
  #progress: number | undefined;
  #attempts: readonly Attempt[] | undefined;

  constructor(options: RetrainOptions) {
    this.#options = options;
    this.#viewHash = viewHash(options.settings.view);
  }

  get model(): string {
    return this.#options.settings.name;
  }

  /** What is being done now, in words, and the share done where it is known. */
  activity(): { readonly activity: string; readonly progress: number | undefined } {
    return { activity: this.#activity, progress: this.#progress };
  }

  async attempts(): Promise<readonly Attempt[]> {
    this.#attempts ??= await readAttempts(this.#options.store, this.model);
    return this.#attempts;
  }

  /** Publishes the view, so that everyone who reads the lake knows the names behind the hash. */
  async publishView(): Promise<void> {
    const body = new TextEncoder().encode(canonicalJson(this.#options.settings.view));
    await this.#options.store.put(viewKey(this.#viewHash), body, { ifAbsent: true });
  }

  /** Looks whether the model is to be trained, and if so does it to the end. */
  async turn(signal: AbortSignal): Promise<void> {
    const { settings, lake, registry, clock, log } = this.#options;
    const [champion, rows, labels] = await Promise.all([
      registry.alias("champion"),
      lake.vectorCount(this.#viewHash),
      lake.labelCount(),
    ]);
    const due = async (): Promise<Attempt["trigger"] | undefined> => {
      const last = (await this.attempts()).at(-1);
      return dueTrigger(settings.triggers, { nowUs: clock.nowUs(), champion, last, rows, labels });
    };
    let trigger = await due();
    if (trigger !== undefined) {
      this.#attempts = undefined; // Another service, or `train` by hand, may have done it meanwhile.
      trigger = await due();
    }
    if (trigger === undefined) {
      this.#doing(
        champion === undefined ? `waiting for vectors: ${rows} of ${settings.triggers.firstRows}` : "waiting",
      );
      await this.#rollOutToThoseWithout(champion);
      return;
    }
    log.info({ model: this.model, trigger, rows, labels }, "training begins");
    await this.#train({ trigger, rows, labels, signal });
  }

  /** One run of the loop, whatever the triggers say. Returns its record. */
  async trainNow(): Promise<Attempt> {
    const { lake } = this.#options;
    const [rows, labels] = await Promise.all([lake.vectorCount(this.#viewHash), lake.labelCount()]);
    return this.#train({ trigger: "by_hand", rows, labels, signal: new AbortController().signal });
  }

  async #train(run: {
    readonly trigger: Attempt["trigger"];
    readonly rows: number;
    readonly labels: number;
    readonly signal: AbortSignal;
  }): Promise<Attempt> {
    const { clock, store, log } = this.#options;
    const attempts = await this.attempts();
    const cutoffUs = clock.nowUs();
    const outcome = await this.#attempt(cutoffUs, run.signal).catch((error: unknown) => {
      // A lake that is away says nothing of the model: the trigger stays due.
      if (!(error instanceof PipelineError) || recoveryOf(error) === "retry" || run.signal.aborted)
        throw error;
      return { decision: "failed" as const, reasons: [describeError(error)], table: "" };
    });
    const attempt: Attempt = {
      attempt: attempts.length + 1,
      model: this.model,
      trigger: run.trigger,
      cutoffUs,
      startedAtUs: cutoffUs,
      endedAtUs: clock.nowUs(),
      rows: run.rows,
      labels: run.labels,
      ...outcome,
    };
    await putAttempt(store, attempt);
    this.#attempts = [...attempts, attempt];
    log.info(
      { model: this.model, decision: attempt.decision, version: attempt.version, reasons: attempt.reasons },
      "training ended",
    );
    this.#doing("waiting");
    return attempt;
  }

  async #attempt(
    cutoffUs: number,
    signal: AbortSignal,
  ): Promise<Pick<Attempt, "datasetId" | "decision" | "version" | "reasons" | "table">> {
    const { settings, store, lake, clock, log } = this.#options;
    this.#doing("building the training set");
    const dataset = await buildDataset(lake, {
      view: settings.view,
      viewHash: this.#viewHash,
      knownByUs: cutoffUs,
      ...settings.dataset,
    });
    await putDatasetManifest(store, dataset.manifest);

    this.#doing(`training on ${dataset.train.count} vectors`, 0);
    const candidates = await trainCandidates(dataset, settings.training, {
      model: this.model,
      codeVersion: SOFTWARE_VERSION,
      clock,
      log,
      signal,
      onProgress: ({ epoch, epochsMax }) =>
        this.#doing(`training on ${dataset.train.count} vectors`, epoch / epochsMax),
    });

    this.#doing("comparing the candidates");
    const verdict = evaluate({
      candidates,
      champion: await this.#champion(),
      test: dataset.test,
      settings: settings.evaluation,
    });
    const version =
      verdict.promoted === undefined ? undefined : await this.#promote(verdict.promoted, verdict, dataset);
    return {
      datasetId: dataset.id,
      decision: verdict.outcome,
      reasons: [...verdict.reasons],
      table: renderVerdict(verdict),
      ...(version === undefined ? {} : { version }),
    };
  }

  async #champion(): Promise<Champion> {
    const { registry } = this.#options;
    const version = await registry.alias("champion");
    if (version === undefined) return { state: "none" };
    try {
      return { state: "ready", bundle: await registry.load(version) };
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      return { state: "failed", reason: describeError(error) };
    }
  }

  async #promote(candidate: Candidate, verdict: Verdict<Candidate>, dataset: Dataset): Promise<number> {
    const { registry } = this.#options;
    this.#doing("registering and signing");
    const version = await registry.register(candidate.manifest, candidate.weights);
    const why = `trained on dataset ${dataset.id.slice(0, 12)}: ${verdict.reasons.join(" ")}`;
    await registry.setAlias("champion", version, { who: LOOP, why });
    this.#doing(`rolling out version ${version}`);
    await this.#rollOut(version, why);
    return version;
  }

  async #rollOut(version: number, reason: string): Promise<void> {
    const { store, clock } = this.#options;
    const gateways = (await fleetState(store)).map((row) => row.gateway);
    await rollOut({ store, gateways, model: this.model, version, reason, clock });
  }

  /**
   * A gateway that has reported and has no wish yet gets the champion; so does one that is to run another version of
   * this model, as a run leaves it that dies between naming its champion and rolling it out.
   */
  async #rollOutToThoseWithout(champion: number | undefined): Promise<void> {
    const { store, clock } = this.#options;
    if (champion === undefined) return;
    const gateways = (await fleetState(store))
      .filter(({ desired }) => desired === undefined || desired.startsWith(`${this.model} `))
      .filter(({ desired }) => desired !== `${this.model} ${champion}`)
      .map((row) => row.gateway);
    if (gateways.length === 0) return;
    await rollOut({
      store,
      gateways,
      model: this.model,
      version: champion,
      reason: "not on the champion",
      clock,
    });
  }

  #doing(activity: string, progress?: number): void {
    this.#activity = activity;
    this.#progress = progress;
  }
}
