import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { type Batch, HELD_BYTES_MAX, readBatch } from "./batch.ts";
import { type CommitReport, type CommitTally, emptyTally, type UnknownColumns } from "./commit-report.ts";
import type { DeltaLog } from "./delta-log.ts";
import { checkSchema, PARTITION_COLUMN, schemaString } from "./delta-schema.ts";
import type { Snapshot } from "./delta-snapshot.ts";
import { KeptLanding } from "./kept-landing.ts";
import { LandingCleaner } from "./landing-cleaner.ts";
import { findAt, type Found, walkLanding } from "./landing-finder.ts";
import { firstBatch, type Gap, type LandingObject, planLanding, type Step } from "./plan-landing.ts";
import { writeTableFiles } from "./write-table.ts";

/** Landing objects that one commit takes: its entry in the log names each. */
const COMMIT_OBJECTS_MAX = 5_000;

/** How often one table's plan is made anew because another committer was faster, before giving up for this time. */
const REPLANS_MAX = 100;

/** How often everything is listed, also what is known to be done: duplicates that came late are found then. */
const FULL_WALK_EVERY_US = 600_000_000;

/** Gaps of one table whose missing object is asked for by name in one pass. */
const PROBES_MAX = 64;

const ENGINE = "sluice";

export interface CommitterOptions {
  readonly store: ObjectStore;
  readonly logs: Readonly<Record<Stream, DeltaLog>>;
  readonly commitBytesMax: number;
  /** Bytes of decoded columns that one commit holds; left out, HELD_BYTES_MAX. */
  readonly heldBytesMax?: number;
  readonly landingGraceMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** The application of a gateway's stream in the table's log. */
const appIdOf = (stream: Stream, gateway: string, epoch: string): string => `${gateway}/${epoch}/${stream}`;

/** A pass under way. `requireHeld` throws where the work is no longer ours. */
interface Pass {
  readonly tally: CommitTally;
  readonly requireHeld: () => void;
}

/**
 * Makes landing objects visible as rows of tables, each exactly once.
 *
 * One Delta commit adds the rows' files and moves the transaction of each gateway, epoch and table on to the last
 * offset; it succeeds only on top of the very transaction that the plan began at. So it may die at any instant, or
 * run twice at once, and no row is missing or there twice: files without a commit are orphans.
 *
 * - A list that lags neither loses nor doubles: what it does not show is asked for by the name that is expected next,
 *   and comes with a later pass; what it shows although it is gone is passed over.
 * - A gap waits, is reported, and holds up only its own gateway, epoch and table.
 * - An object that is damaged, foreign or overlapping is copied below `quarantine/landing/` with its reason. Its range
 *   is recorded as lost in the commit that passes over it, and the rows behind it go on.
 * - An object of an older gateway gets defaults in the columns that it lacks. One of a newer gateway is committed
 *   without the columns that this version does not know, which is told once and in every report.
 * - An object is deleted when its range was committed for longer than the grace, and its bytes are those committed.
 */
export class Committer {
  readonly #options: CommitterOptions;
  readonly #kept = new KeptLanding();
  readonly #cleaner: LandingCleaner;
  /** Gaps and unknown columns that were logged. */
  #known = new Set<string>();
  #fullWalkAtUs: number | undefined;

  constructor(options: CommitterOptions) {
    this.#options = options;
    const { store, clock, log, landingGraceMs } = options;
    this.#cleaner = new LandingCleaner({ store, clock, log, landingGraceMs, kept: this.#kept });
  }

  /**
   * One pass over what has landed. Store errors are thrown; what was committed stays committed.
   *
   * `requireHeld` is called before every commit and before anything is deleted, and throws where another is at work.
   */
  async run(requireHeld: () => void = () => undefined): Promise<CommitReport> {
    const { store, clock, logs } = this.#options;
    const tally = emptyTally();
    const pass = { tally, requireHeld };
    for (const stream of STREAMS) await logs[stream].refresh();
    const nowUs = clock.monotonicUs();
    const full = this.#fullWalkAtUs === undefined || nowUs - this.#fullWalkAtUs >= FULL_WALK_EVERY_US;
    const done = {
      through: (stream: Stream, gateway: string, epoch: string) =>
        through(logs[stream].snapshot, stream, gateway, epoch),
      keptOf: (stream: Stream, gateway: string, epoch: string) => this.#kept.countOf(stream, gateway, epoch),
      isKept: (key: string) => this.#kept.has(key),
    };
    for await (const found of walkLanding(store, done, { full })) await this.#takeIn(found, pass);
    if (full) this.#fullWalkAtUs = nowUs;
    for (const stream of STREAMS) await this.#cleaner.clean(stream, requireHeld, tally);
    this.#tellOnce(tally);
    tally.kept = this.#kept.size;
    return tally;
  }

  async #takeIn({ objects, strangers }: Found, pass: Pass): Promise<void> {
    if (strangers.length > 0) {
      pass.requireHeld();
      await this.#cleaner.moveAllAway(strangers, "the key is not one that a gateway makes", pass.tally);
    }
    const byStream = Map.groupBy(objects, ({ range }) => range.stream);
    for (const [stream, own] of byStream) await this.#commitTable(stream, own, pass);
  }

  async #commitTable(stream: Stream, objects: readonly LandingObject[], pass: Pass): Promise<void> {
    const log = this.#options.logs[stream];
    let pending = objects;
    const probed = new Set<string>();
    for (let replans = 0; replans <= REPLANS_MAX;) {
      const snapshot = await log.refresh();
      const plan = planLanding(pending, (gateway, epoch) => through(snapshot, stream, gateway, epoch));
      for (const object of plan.done) this.#kept.add({ object, fate: await log.fateOf(object.key) });
      const outcome = await this.#commitPlan(stream, { steps: plan.steps, planned: snapshot }, pass);
      if (outcome.state === "overtaken") {
        replans++;
        continue;
      }
      if (outcome.state === "gone") {
        const { gateway, epoch, to } = outcome.object.range;
        if (through(await log.refresh(), stream, gateway, epoch) < to)
          pending = pending.filter((object) => object !== outcome.object);
        continue;
      }
      const late = await this.#probe(stream, plan.gaps, probed);
      if (late.length > 0) {
        pending = [...pending, ...late];
        continue;
      }
      if (plan.foreign.length > 0) {
        pass.requireHeld();
        await this.#cleaner.moveAllAway(plan.foreign, "its range overlaps that of other objects", pass.tally);
      }
      for (const gap of plan.gaps) noteGap(stream, gap, pass.tally);
      return;
    }
    throw new PipelineError("store.conflict", `table ${stream}: other committers came first every time`, {
      hint: "Let one cloud service commit.",
    });
  }

  /** Commits all steps of a plan, as many at a time as the limits allow. */
  async #commitPlan(stream: Stream, { steps, planned }: Planned, pass: Pass): Promise<Outcome> {
    const { store, clock, commitBytesMax, heldBytesMax = HELD_BYTES_MAX, logs } = this.#options;
    const limits = { bytesMax: commitBytesMax, objectsMax: COMMIT_OBJECTS_MAX };
    // Where the plan believes each application to be: as planned, and moved on by our own commits, never by others'.
    const reached = new Map<string, number>();
    for (const { object } of steps) {
      const { gateway, epoch } = object.range;
      reached.set(appIdOf(stream, gateway, epoch), through(planned, stream, gateway, epoch));
    }
    const read = (rest: readonly Step[]): ReturnType<typeof readBatch> | undefined =>
      rest.length === 0 ? undefined : readBatch({ store, clock, heldBytesMax }, firstBatch(rest, limits));
    let rest = steps;
    let heldBytes = 0;
    for (let reading = read(rest); reading !== undefined;) {
      const batch = await reading;
      if (batch.state === "gone") return batch;
      rest = rest.slice(batch.steps.length);
      heldBytes += batch.heldBytes;
      pass.tally.heldBytesMax = Math.max(pass.tally.heldBytesMax, heldBytes);
      // The next objects are read while these are written, which another thread does.
      const writing = this.#commitBatch(stream, { batch, reached }, pass);
      reading = read(rest);
      const [written] = await Promise.allSettled([writing, reading]);
      if (written.status === "rejected") throw written.reason;
      if (!written.value) return { state: "overtaken" };
      for (const { object } of batch.steps)
        this.#kept.add({ object, fate: await logs[stream].fateOf(object.key) });
      heldBytes = batch.heldBytes;
    }
    return { state: "done" };
  }

  /** False: another committer was faster; nothing was committed. */
  async #commitBatch(
    stream: Stream,
    { batch, reached }: { readonly batch: Batch; readonly reached: Map<string, number> },
    pass: Pass,
  ): Promise<boolean> {
    const { store, logs, clock } = this.#options;
    const nowMs = Math.floor(clock.nowUs() / 1_000);
    const adds = await writeTableFiles(store, stream, batch.tables, nowMs);
    const moved = new Map<string, number>();
    for (const { object } of batch.steps) {
      const { gateway, epoch, to } = object.range;
      moved.set(appIdOf(stream, gateway, epoch), to);
    }
    const expected = new Map([...moved.keys()].map((appId) => [appId, reached.get(appId) ?? -1]));
    pass.requireHeld();
    // The commit point: from here the rows are in the table, and their ranges are never taken again.
    const outcome = await logs[stream].append({
      actions: [
        ...[...moved].map(([appId, version]) => ({ txn: { appId, version, lastUpdated: nowMs } })),
        ...adds.map((add) => ({ add })),
      ],
      commitInfo: {
        timestamp: nowMs,
        operation: "WRITE",
        operationParameters: { mode: "Append", partitionBy: JSON.stringify([PARTITION_COLUMN]) },
        isBlindAppend: true,
        engineInfo: ENGINE,
        txnId: newUuid(),
        sluice: { landed: batch.landed, lost: batch.lost },
      },
      metaData: newTable(stream, nowMs),
      expected,
      checkSchema: (existing) => checkSchema(stream, existing),
    });
    if (outcome === "overtaken") return false;
    for (const [appId, version] of moved) reached.set(appId, version);
    this.#count(stream, batch, pass.tally);
    pass.tally.files += adds.length;
    return true;
  }

  #count(stream: Stream, batch: Batch, tally: CommitTally): void {
    const rows = batch.landed.reduce((sum, object) => sum + object.rows, 0);
    tally.commits++;
    tally.rows += rows;
    tally.objects += batch.landed.length;
    tally.bytes += batch.steps.reduce((sum, { object }) => sum + object.bytes, 0);
    tally.rowsByTable[stream] = (tally.rowsByTable[stream] ?? 0) + rows;
    for (const { range, columns } of batch.unknown) noteUnknown({ ...range, columns }, tally);
    for (const lost of batch.lost) {
      tally.lost.push(lost);
      this.#options.log.error(lost, "a landing object could not be used; its range is recorded as lost");
    }
  }

  /** What should come next and was not listed, asked for by name, once for each gap. */
  async #probe(stream: Stream, gaps: readonly Gap[], probed: Set<string>): Promise<readonly LandingObject[]> {
    const late: LandingObject[] = [];
    for (const { gateway, epoch, from } of gaps) {
      const name = `${gateway}/${epoch}/${from}`;
      if (probed.has(name) || probed.size >= PROBES_MAX) continue;
      probed.add(name);
      late.push(...(await findAt(this.#options.store, { stream, gateway, epoch, from })));
    }
    return late;
  }

  /** Gaps and unknown columns are in every report and once in the log. */
  #tellOnce(tally: CommitTally): void {
    const { log } = this.#options;
    const names = new Set<string>();
    const tell = (name: string, what: object, text: string): void => {
      names.add(name);
      if (!this.#known.has(name)) log.warn(what, text);
    };
    for (const gap of tally.gaps)
      tell(
        `gap ${gap.stream}/${gap.gateway}/${gap.epoch}/${gap.from}`,
        gap,
        "rows have not come; those behind them wait",
      );
    for (const unknown of tally.unknownColumns)
      tell(
        `columns ${unknown.stream}/${unknown.gateway}/${unknown.columns.join()}`,
        unknown,
        "a newer gateway lands columns that this version does not know; its rows are committed without them",
      );
    // A column stays known: rows that have it come and go.
    this.#known = new Set([...names, ...[...this.#known].filter((name) => name.startsWith("columns "))]);
  }
}

/** A plan's steps, and the snapshot that it was made on. */
interface Planned {
  readonly steps: readonly Step[];
  readonly planned: Snapshot;
}

type Outcome =
  { readonly state: "done" | "overtaken" } | { readonly state: "gone"; readonly object: LandingObject };

/** Adds a gap to the report; the same gap of another part of the walk has more that waits behind it. */
function noteGap(stream: Stream, gap: Gap, tally: CommitTally): void {
  const same = (other: Gap & { readonly stream: Stream }): boolean =>
    other.stream === stream &&
    other.gateway === gap.gateway &&
    other.epoch === gap.epoch &&
    other.from === gap.from;
  const place = tally.gaps.findIndex(same);
  const known = tally.gaps[place];
  if (known === undefined) tally.gaps.push({ stream, ...gap });
  else tally.gaps[place] = { ...known, waiting: known.waiting + gap.waiting };
}

function noteUnknown({ stream, gateway, columns }: UnknownColumns, tally: CommitTally): void {
  const name = columns.join();
  const isKnown = tally.unknownColumns.some(
    (other) => other.stream === stream && other.gateway === gateway && other.columns.join() === name,
  );
  if (!isKnown) tally.unknownColumns.push({ stream, gateway, columns });
}

const through = (snapshot: Snapshot, stream: Stream, gateway: string, epoch: string): number =>
  snapshot.txns.get(appIdOf(stream, gateway, epoch))?.version ?? -1;

const newTable = (stream: Stream, nowMs: number): Parameters<DeltaLog["append"]>[0]["metaData"] => ({
  id: newUuid(),
  name: stream,
  format: { provider: "parquet", options: {} },
  schemaString: schemaString(stream),
  partitionColumns: [PARTITION_COLUMN],
  configuration: {},
  createdTime: nowMs,
});
