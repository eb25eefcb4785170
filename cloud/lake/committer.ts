import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { LANDING_PREFIX, parseLandingKey, SHA256_METADATA } from "@sluice/shared/contract/lake-key.ts";
import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import type { ObjectInfo, ObjectStore } from "@sluice/shared/store/object-store.ts";
import { type CommitReport, type CommitTally, emptyTally } from "./commit-report.ts";
import { concurrently } from "./concurrently.ts";
import type { Landed, Lost } from "./delta-action.ts";
import type { DeltaLog } from "./delta-log.ts";
import { checkSchema, PARTITION_COLUMN, schemaString } from "./delta-schema.ts";
import type { Snapshot } from "./delta-snapshot.ts";
import { firstBatch, type LandingObject, planLanding, type Step } from "./plan-landing.ts";
import { LANDING_BYTES_MAX, readLanding } from "./read-landing.ts";
import { setAside } from "./set-aside.ts";
import { type LandedTable, writeTableFiles } from "./write-table.ts";

/** Landing objects that are fetched at once. */
const FETCHES_MAX = 8;

/** How often one table's plan is made anew because another committer was faster, before giving up for this time. */
const REPLANS_MAX = 100;

const ENGINE = "sluice";

export interface CommitterOptions {
  readonly store: ObjectStore;
  readonly logs: Readonly<Record<Stream, DeltaLog>>;
  readonly commitBytesMax: number;
  readonly landingGraceMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** The application of a gateway's stream in the table's log. */
const appIdOf = (stream: Stream, gateway: string, epoch: string): string => `${gateway}/${epoch}/${stream}`;

/**
 * Makes landing objects visible as rows of tables, each exactly once.
 *
 * One Delta commit adds the rows' files and moves the transaction of each gateway, epoch and table on to the last
 * offset; it succeeds only on top of the very transaction that the plan began at. So it may die at any instant, or
 * run twice at once, and no row is missing or there twice: files without a commit are orphans.
 *
 * - A gap waits, is reported, and holds up only its own gateway, epoch and table.
 * - An object that is damaged, foreign or overlapping is copied below `quarantine/landing/` with its reason. Its range
 *   is recorded as lost in the commit that passes over it, and the rows behind it go on.
 * - An object is deleted when its range was committed for longer than the grace, and its bytes are those committed.
 */
export class Committer {
  readonly #options: CommitterOptions;
  /** Gaps that were logged. */
  #known = new Set<string>();

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** One pass over everything that has landed. Store errors are thrown; what was committed stays committed. */
  async run(): Promise<CommitReport> {
    const tally = emptyTally();
    const objects = new Map<Stream, LandingObject[]>(STREAMS.map((stream) => [stream, []]));
    for await (const info of this.#options.store.list(LANDING_PREFIX)) {
      const range = parseLandingKey(info.key);
      if (range === undefined) await this.#moveAway(info, "the key is not one that a gateway makes", tally);
      else objects.get(range.stream)?.push({ ...info, range });
    }
    for (const [stream, own] of objects) if (own.length > 0) await this.#commitTable(stream, own, tally);
    this.#reportGaps(tally);
    return tally;
  }

  async #commitTable(stream: Stream, objects: readonly LandingObject[], tally: CommitTally): Promise<void> {
    const log = this.#options.logs[stream];
    let snapshot = await log.refresh();
    let pending = objects;
    for (let replans = 0; ;) {
      const plan = planLanding(pending, (gateway, epoch) => through(snapshot, stream, gateway, epoch));
      const steps = firstBatch(plan.steps, this.#options.commitBytesMax);
      if (steps.length === 0) {
        for (const object of plan.foreign)
          await this.#moveAway(object, "its range overlaps that of other objects", tally);
        for (const gap of plan.gaps) tally.gaps.push({ stream, ...gap });
        await this.#cleanUp(log, plan.done, tally);
        return;
      }
      const committed = await this.#commitSteps(stream, steps, snapshot, tally);
      snapshot = await log.refresh();
      if (committed) continue;
      if (++replans > REPLANS_MAX)
        throw new PipelineError("store.conflict", `table ${stream}: other committers came first every time`, {
          hint: "Let one cloud service commit.",
        });
      pending = await this.#stillThere(stream);
    }
  }

  /** What lies in landing now, after another committer was found at work. */
  async #stillThere(stream: Stream): Promise<readonly LandingObject[]> {
    const objects: LandingObject[] = [];
    for await (const info of this.#options.store.list(`${LANDING_PREFIX}${stream}/`)) {
      const range = parseLandingKey(info.key);
      if (range !== undefined) objects.push({ ...info, range });
    }
    return objects;
  }

  /** False: another committer was faster; nothing was committed. */
  async #commitSteps(
    stream: Stream,
    steps: readonly Step[],
    snapshot: Snapshot,
    tally: CommitTally,
  ): Promise<boolean> {
    const read = await this.#read(steps);
    if (read === undefined) return false;
    const { store, logs, clock } = this.#options;
    const nowMs = Math.floor(clock.nowUs() / 1_000);
    const adds = await writeTableFiles(store, stream, read.tables, nowMs);
    const expected = new Map<string, number>();
    const reached = new Map<string, number>();
    for (const { object } of steps) {
      const { gateway, epoch, to } = object.range;
      const appId = appIdOf(stream, gateway, epoch);
      if (!expected.has(appId)) expected.set(appId, through(snapshot, stream, gateway, epoch));
      reached.set(appId, to);
    }
    // The commit point: from here the rows are in the table, and their ranges are never taken again.
    const outcome = await logs[stream].append({
      actions: [
        ...[...reached].map(([appId, version]) => ({ txn: { appId, version, lastUpdated: nowMs } })),
        ...adds.map((add) => ({ add })),
      ],
      commitInfo: {
        timestamp: nowMs,
        operation: "WRITE",
        operationParameters: { mode: "Append", partitionBy: JSON.stringify([PARTITION_COLUMN]) },
        isBlindAppend: true,
        engineInfo: ENGINE,
        txnId: newUuid(),
        sluice: { landed: read.landed, lost: read.lost },
      },
      metaData: newTable(stream, nowMs),
      expected,
      checkSchema: (existing) => checkSchema(stream, existing),
    });
    if (outcome === "overtaken") return false;
    this.#count(stream, { ...read, files: adds.length, steps }, tally);
    return true;
  }

  /** The rows of the steps' objects, and what could not be used, set aside. Undefined: an object is gone. */
  async #read(
    steps: readonly Step[],
  ): Promise<{ tables: LandedTable[]; landed: Landed[]; lost: Lost[] } | undefined> {
    const { store, clock } = this.#options;
    const found = { tables: [] as LandedTable[], landed: [] as Landed[], lost: [] as Lost[] };
    const reads = concurrently(steps, FETCHES_MAX, ({ object }) => readLanding(store, object));
    for await (const [{ object, overlaps }, read] of reads) {
      const { key, range } = object;
      if (read.state === "gone") return undefined;
      if (read.state === "ready" && !overlaps) {
        found.tables.push({ range, table: read.table });
        found.landed.push({ key, sha256: read.sha256, rows: read.table.count });
        continue;
      }
      const reason = read.state === "ready" ? "its range overlaps what is committed" : read.reason;
      const body = read.state === "ready" ? await bodyOf(store, key) : read.body;
      found.lost.push({ key, reason, setAside: await setAside(store, clock, { key, body, reason }) });
    }
    return found;
  }

  #count(
    stream: Stream,
    done: {
      readonly landed: readonly Landed[];
      readonly lost: readonly Lost[];
      readonly files: number;
      readonly steps: readonly Step[];
    },
    tally: CommitTally,
  ): void {
    const rows = done.landed.reduce((sum, object) => sum + object.rows, 0);
    tally.commits++;
    tally.files += done.files;
    tally.rows += rows;
    tally.objects += done.landed.length;
    tally.bytes += done.steps.reduce((sum, { object }) => sum + object.bytes, 0);
    tally.rowsByTable[stream] = (tally.rowsByTable[stream] ?? 0) + rows;
    for (const lost of done.lost) {
      tally.lost.push(lost);
      this.#options.log.error(lost, "a landing object could not be used; its range is recorded as lost");
    }
  }

  /** Deletes objects whose very bytes were committed and are past their grace; moves away what only looks so. */
  async #cleanUp(log: DeltaLog, done: readonly LandingObject[], tally: CommitTally): Promise<void> {
    const { store, clock, landingGraceMs } = this.#options;
    const nowMs = clock.nowUs() / 1_000;
    for (const object of done) {
      const fate = await log.fateOf(object.key);
      if (fate === undefined)
        await this.#moveAway(object, "its range was committed from other objects, or given up", tally);
      else if (nowMs - fate.atMs <= landingGraceMs) continue;
      else if (fate.state === "lost") await this.#moveAway(object, "its range was given up", tally);
      else if ((await checksumOf(store, object.key)) === fate.sha256) {
        await store.delete(object.key);
        tally.deleted++;
      } else
        await this.#moveAway(object, `its bytes are not those that were committed (${fate.sha256})`, tally);
    }
  }

  /** Copies an object that no table needs to quarantine, then deletes it. One that is too large to copy stays. */
  async #moveAway(info: ObjectInfo, reason: string, tally: CommitTally): Promise<void> {
    const { store, clock, log } = this.#options;
    const { key } = info;
    const body = info.bytes <= LANDING_BYTES_MAX ? await bodyOf(store, key) : undefined;
    if (body === undefined && info.bytes <= LANDING_BYTES_MAX) return; // Another committer did it.
    const aside = await setAside(store, clock, { key, body, reason });
    if (body !== undefined) await store.delete(key);
    tally.setAside.push({ key, reason, setAside: aside });
    log.warn({ key, setAside: aside }, `a landing object was set aside: ${reason}`);
  }

  /** Gaps are in every report and once in the log. */
  #reportGaps(tally: CommitTally): void {
    const names = new Set<string>();
    for (const gap of tally.gaps) {
      const name = `${gap.stream}/${gap.gateway}/${gap.epoch}/${gap.from}`;
      names.add(name);
      if (!this.#known.has(name)) this.#options.log.warn(gap, "rows have not come; those behind them wait");
    }
    this.#known = names;
  }
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

async function bodyOf(store: ObjectStore, key: string): Promise<Uint8Array | undefined> {
  const result = await store.get(key);
  return result.state === "found" ? result.object.body : undefined;
}

async function checksumOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const stated = (await store.head(key))?.metadata[SHA256_METADATA];
  if (stated !== undefined) return stated;
  const body = await bodyOf(store, key);
  return body === undefined ? undefined : sha256Hex(body);
}
