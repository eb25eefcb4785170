import { type Clock, isoTime } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError, recoveryOf } from "@sluice/shared/runtime/errors.ts";
import { Lifecycle, type Part } from "@sluice/shared/runtime/lifecycle.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { Random } from "@sluice/shared/runtime/random.ts";
import { backoffMs } from "@sluice/shared/runtime/retry.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { openStore } from "@sluice/shared/store/open.ts";
import { probeStore } from "@sluice/shared/store/probe.ts";
import { type CloudSettings, host, SOFTWARE_VERSION } from "./config.ts";
import { Lake } from "./lake/lake.ts";
import { Lease } from "./lake/lease.ts";
import { readKeys } from "./registry/keys.ts";
import { Registry } from "./registry/registry.ts";
import { Retraining } from "./retrain.ts";
import { fleetState } from "./rollout/rollout.ts";
import type { CloudStatus, CommitterStatus, LakeStatus, ModelStatus } from "./status/cloud-status.ts";
import { remembered } from "./status/remembered.ts";
import { StatusServer } from "./status/status-server.ts";

export interface Outside {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The lake and the registries that the settings name; what every command of the cloud works on. */
export interface Opened {
  readonly store: ObjectStore;
  readonly lake: Lake;
  /** Who commits and cleans up; given back by `close`. */
  readonly lease: Lease;
  readonly retrainings: readonly Retraining[];
  readonly registries: ReadonlyMap<string, Registry>;
  close(): Promise<void>;
}

/** Opens the lake and checks that its storage keeps the one promise that everything rests on. */
export async function openLake(settings: CloudSettings, { clock, random, log }: Outside): Promise<Opened> {
  const keys = await readKeys(settings.keys);
  const store = await openStore(settings.lake, { clock, random });
  await probeStore(store);
  const lake = await Lake.open({ store, settings: settings.tables, clock, log });
  const lease = new Lease({
    store,
    clock,
    name: "lake",
    failOverMs: settings.tables.leaseMs,
    owner: host.name,
  });
  const registries = new Map<string, Registry>();
  const retrainings: Retraining[] = [];
  for (const model of settings.models) {
    const registry = await Registry.open({ store, model: model.name, ...keys, clock });
    registries.set(model.name, registry);
    retrainings.push(new Retraining({ settings: model, store, lake, registry, clock, log }));
  }
  const close = async (): Promise<void> => {
    await lease.release();
    await lake.close();
  };
  return { store, lake, lease, retrainings, registries, close };
}

const BACKOFF = { baseMs: 1_000, maxMs: 60_000 };
const STOP_DEADLINE_MS = 20_000;

/** How long the page shows what was seen of the lake: each look reads the logs, the fleet and the registry. */
const STATUS_FOR_MS = 1_000;

/** How often a committer that stands by looks whether the lease has come: memory only. */
const LEASE_POLL_MS = 100;

/** The service: loops over the lake, one that commits and one for each model, and the page that tells of them. */
export class CloudService {
  readonly #outside: Outside;
  readonly #opened: Opened;
  readonly #status: StatusServer;
  readonly #lifecycle: Lifecycle;
  readonly #startedAtUs: number;
  readonly #problems = new Map<string, string>();
  /** What was seen of the lake last: shown while it is away. */
  #seen: LakeStatus = { tables: [], models: [], gateways: [] };
  #lastCommitAtUs: number | undefined;
  #committer: CommitterStatus = { state: "unknown" };

  constructor(
    settings: CloudSettings,
    opened: Opened,
    outside: Outside & { readonly failed: (error: Error) => void },
  ) {
    this.#opened = opened;
    this.#outside = outside;
    this.#startedAtUs = outside.clock.monotonicUs();
    this.#status = new StatusServer(
      settings.status,
      remembered(() => this.snapshot(), { forMs: STATUS_FOR_MS, clock: outside.clock }),
    );
    const { lake, lease, retrainings } = opened;
    // Apart from the committer, so that the lease is renewed while a long commit runs.
    const keep = this.#loop("lease", lease.lookEveryMs, outside.failed, () => this.#askLease());
    const commit = this.#loop(
      "committer",
      settings.tables.commitIntervalMs,
      outside.failed,
      async (signal) => {
        while (!lease.isHeld && !signal.aborted) await outside.clock.sleep(LEASE_POLL_MS, signal);
        if (signal.aborted) return;
        const report = await lake.commitLanding(() => lease.requireHeld());
        if (report.rows > 0) this.#lastCommitAtUs = outside.clock.nowUs();
      },
    );
    const upkeep = this.#loop("upkeep", settings.tables.upkeepIntervalMs, outside.failed, async (signal) => {
      // Not at the start: what has landed meanwhile comes first.
      await outside.clock.sleep(settings.tables.upkeepIntervalMs, signal);
      if (!lease.isHeld || signal.aborted) return;
      const requireHeld = (): void => lease.requireHeld();
      const say = (text: string): void => outside.log.info({ loop: "upkeep" }, text);
      await lake.upkeep.retain({ requireHeld, signal, say });
      await lake.upkeep.compact({ requireHeld, signal, say });
      await lake.upkeep.vacuum({ requireHeld, signal, say });
    });
    // One for each model, so that one model's trouble holds up no other.
    const learning = retrainings.map((retraining) =>
      this.#loop(`learning ${retraining.model}`, settings.loopIntervalMs, outside.failed, (signal) =>
        retraining.turn(signal),
      ),
    );
    this.#lifecycle = new Lifecycle(
      [this.#status, keep, commit, upkeep, ...learning],
      outside.clock,
      outside.log,
    );
  }

  async start(): Promise<void> {
    for (const retraining of this.#opened.retrainings) await retraining.publishView();
    await this.#lifecycle.start();
  }

  async stop(): Promise<readonly string[]> {
    const late = await this.#lifecycle.stop(STOP_DEADLINE_MS);
    await this.#opened.close();
    return late;
  }

  get address(): string {
    return this.#status.address;
  }

  /** Takes or renews the lease, and tells when the service begins to commit and when it stands by. */
  async #askLease(): Promise<void> {
    const { log } = this.#outside;
    const before = this.#committer.state;
    const answer = await this.#opened.lease.ask().catch((error: unknown) => {
      if (!this.#opened.lease.isHeld) this.#committer = { state: "unknown" };
      throw error;
    });
    if (answer.state === "held") {
      this.#committer = { state: "committing" };
      if (before !== "committing") log.info({ term: answer.term }, "this service commits what lands");
    } else {
      const { by: holder, since, until } = answer;
      this.#committer = { state: "standing_by", holder, since, until };
      if (before !== "standing_by") log.info({ holder, until }, "another service commits; standing by");
    }
  }

  /** Runs `work` again and again; what the world breaks is retried with back-off and shown, what we break stops all. */
  #loop(
    name: string,
    intervalMs: number,
    failed: (error: Error) => void,
    work: (signal: AbortSignal) => Promise<void>,
  ): Part {
    const { clock, random, log } = this.#outside;
    const stopping = new AbortController();
    let running = Promise.resolve();
    const run = async (): Promise<void> => {
      for (let failures = 0; !stopping.signal.aborted;) {
        try {
          await work(stopping.signal);
          if (failures > 0) log.info({ loop: name }, "works again");
          failures = 0;
          this.#problems.delete(name);
        } catch (error) {
          if (stopping.signal.aborted) return;
          if (!(error instanceof PipelineError)) throw error;
          this.#problems.set(name, describeError(error));
          const level = recoveryOf(error) === "retry" ? "warn" : "error";
          if (failures === 0) log[level]({ loop: name, code: error.code }, describeError(error));
          await clock.sleep(backoffMs(BACKOFF, failures++, random), stopping.signal);
        }
        await clock.sleep(intervalMs, stopping.signal);
      }
    };
    return {
      name,
      start: async () => {
        running = run().catch((error: unknown) =>
          failed(error instanceof Error ? error : new Error(String(error))),
        );
      },
      stop: async () => {
        stopping.abort();
        await running;
      },
    };
  }

  /** How the service is. While the lake cannot be read, what was seen of it last, and the reason as a problem. */
  async snapshot(): Promise<CloudStatus> {
    const problems = [...this.#problems].map(([loop, problem]) => `${loop}: ${problem}`);
    try {
      this.#seen = await this.#look();
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      problems.push(`status: ${describeError(error)}`);
    }
    return {
      softwareVersion: SOFTWARE_VERSION,
      healthy: problems.length === 0,
      problems,
      uptimeS: Math.floor((this.#outside.clock.monotonicUs() - this.#startedAtUs) / 1_000_000),
      committer: this.#committer,
      lastCommitAt: this.#lastCommitAtUs === undefined ? undefined : isoTime(this.#lastCommitAtUs),
      ...this.#seen,
    };
  }

  async #look(): Promise<LakeStatus> {
    const { lake, store, retrainings } = this.#opened;
    const [tables, fleet, models] = await Promise.all([
      lake.tables(),
      fleetState(store),
      Promise.all(retrainings.map((retraining) => this.#modelStatus(retraining))),
    ]);
    return {
      tables,
      models,
      gateways: fleet.map((row) => ({
        gateway: row.gateway,
        desired: row.desired ?? "",
        running: row.running ?? "",
        reportedAt: row.reportedAtUs === undefined ? "" : isoTime(row.reportedAtUs),
        refusal: row.refusal,
      })),
    };
  }

  async #modelStatus(retraining: Retraining): Promise<ModelStatus> {
    const attempts = await retraining.attempts();
    return {
      model: retraining.model,
      champion: await this.#opened.registries.get(retraining.model)?.alias("champion"),
      ...retraining.activity(),
      attempts: attempts.toReversed().map((attempt) => ({
        attempt: attempt.attempt,
        trigger: attempt.trigger,
        startedAt: isoTime(attempt.startedAtUs),
        endedAt: isoTime(attempt.endedAtUs),
        decision: attempt.decision,
        version: attempt.version,
        reasons: attempt.reasons,
        table: attempt.table,
      })),
    };
  }
}
