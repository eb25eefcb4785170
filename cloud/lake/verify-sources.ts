import { reportedStateSchema } from "@sluice/shared/contract/fleet.ts";
import {
  FLEET_PREFIX,
  LANDING_PREFIX,
  parseLandingKey,
  reportedKey,
  tablePrefix,
} from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { concurrently } from "./concurrently.ts";
import { parseActions } from "./delta-action.ts";
import { listLog, logHole } from "./delta-listing.ts";
import { DeltaReader } from "./delta-reader.ts";
import type { LandingObject } from "./plan-landing.ts";
import { SET_ASIDE_PREFIX } from "./set-aside.ts";
import { TableLedger } from "./verify-ledger.ts";
import type { DeliveryClaim } from "./verify-ranges.ts";

/** Objects that are fetched at once. */
const FETCHES_MAX = 16;

/** Reasons of objects that were set aside which are read; the others are counted. */
const REASONS_MAX = 1_000;

/** Largest report that is read, in bytes: a thousand counters take 64 KiB. */
const REPORT_BYTES_MAX = 1_048_576;

/** Reads one table's log whole, commit by commit. Throws what is wrong with the log: "lake.log_hole", "lake.log_damaged". */
export async function readLedger(
  store: ObjectStore,
  table: Stream,
  tell: (doing: string, share?: number) => void,
): Promise<TableLedger> {
  const prefix = `${tablePrefix(table)}_delta_log/`;
  const { commits, checkpoints } = await listLog(store, prefix);
  const first = commits[0] ?? checkpoints.at(-1)?.version;
  if (first === undefined) return new TableLedger(table);
  const hole = commits.findIndex((version, i) => version !== first + i);
  if (hole >= 0) throw logHole(prefix, first + hole);
  // A log that was cleaned up goes on from a checkpoint, of which the commit may still be there.
  const base = first === 0 ? -1 : checkpoints.find(({ version }) => version >= first)?.version;
  if (base === undefined) throw logHole(prefix, first - 1);
  const newestCheckpoint = checkpoints.at(-1)?.version ?? -1;
  if (newestCheckpoint > Math.max(commits.at(-1) ?? -1, base)) throw logHole(prefix, newestCheckpoint);
  const reader = new DeltaReader(store, prefix, () => undefined);
  const ledger = new TableLedger(table, base < 0 ? undefined : await reader.at(base));
  const versions = commits.filter((version) => version > base);
  const fetches = concurrently(versions, FETCHES_MAX, async (version) => {
    const key = `${prefix}${String(version).padStart(20, "0")}.json`;
    const result = await store.get(key);
    if (result.state !== "found") throw logHole(prefix, version);
    return parseActions(key, new TextDecoder().decode(result.object.body));
  });
  for await (const [version, actions] of fetches) {
    ledger.take(version, actions);
    tell(`reading the log of ${table}`, ledger.commits / versions.length);
  }
  return ledger;
}

/** The sizes of what lies in a table's folder beside its log, by path. */
export async function listTableFiles(
  store: ObjectStore,
  table: Stream,
): Promise<ReadonlyMap<string, number>> {
  const prefix = tablePrefix(table);
  const files = new Map<string, number>();
  for await (const { key, bytes } of store.list(prefix)) {
    const path = key.slice(prefix.length);
    if (!path.startsWith("_")) files.set(path, bytes);
  }
  return files;
}

/** Landing objects of each gateway's epoch of each table, by application; what has another key is for the committer. */
export async function listLanding(
  store: ObjectStore,
): Promise<ReadonlyMap<string, readonly LandingObject[]>> {
  const found = new Map<string, LandingObject[]>();
  for await (const info of store.list(LANDING_PREFIX)) {
    const range = parseLandingKey(info.key);
    if (range === undefined) continue;
    const appId = `${range.gateway}/${range.epoch}/${range.stream}`;
    const own = found.get(appId);
    if (own === undefined) found.set(appId, [{ ...info, range }]);
    else own.push({ ...info, range });
  }
  return found;
}

/** What the gateways say: per gateway what it claims of each stream, or why its report cannot be read. */
export interface Claims {
  readonly byGateway: ReadonlyMap<string, GatewayClaim>;
  readonly unreadable: ReadonlyMap<string, string>;
}

export interface GatewayClaim {
  readonly epoch: string;
  readonly reportedAt: string;
  readonly storedThrough: number | undefined;
  readonly decodedThrough: number | undefined;
  readonly streams: ReadonlyMap<Stream, DeliveryClaim>;
}

export async function readClaims(store: ObjectStore, streams: readonly Stream[]): Promise<Claims> {
  const gateways = new Set<string>();
  for await (const { key } of store.list(FLEET_PREFIX)) {
    const name = /^fleet\/([^/]+)\/reported\.json$/.exec(key)?.[1];
    if (name !== undefined) gateways.add(name);
  }
  const byGateway = new Map<string, GatewayClaim>();
  const unreadable = new Map<string, string>();
  const reads = concurrently([...gateways], FETCHES_MAX, (gateway) => readClaim(store, gateway, streams));
  for await (const [gateway, claim] of reads)
    if (typeof claim === "string") unreadable.set(gateway, claim);
    else byGateway.set(gateway, claim);
  return { byGateway, unreadable };
}

/** A gateway's claim, or why there is none. */
async function readClaim(
  store: ObjectStore,
  gateway: string,
  streams: readonly Stream[],
): Promise<GatewayClaim | string> {
  const key = reportedKey(gateway);
  const result = await store.get(key);
  if (result.state !== "found") return `${key} is gone`;
  const { body } = result.object;
  if (body.byteLength > REPORT_BYTES_MAX) return `${key} has ${body.byteLength} bytes`;
  const report = reportedStateSchema.safeParse(parseJson(body));
  if (!report.success) return `${key} is no report that this version knows`;
  const { epoch, reportedAtUs, delivery } = report.data;
  const reportedAt = isoTime(reportedAtUs);
  return {
    epoch,
    reportedAt,
    storedThrough: delivery?.storedThrough,
    decodedThrough: delivery?.decodedThrough,
    streams: new Map(
      streams.map((stream) => {
        const { deliveredThrough, sealedThrough, waitingRows } = delivery?.streams[stream] ?? {};
        return [stream, { epoch, reportedAt, deliveredThrough, sealedThrough, waitingRows }];
      }),
    ),
  };
}

/** An object that was set aside, and why. */
export interface SetAsideObject {
  readonly key: string;
  readonly reason: string;
  readonly aside: string;
}

/** What lies in the quarantine for objects; `more` are not read. */
export async function readSetAside(
  store: ObjectStore,
): Promise<{ readonly objects: readonly SetAsideObject[]; readonly more: number }> {
  const keys: string[] = [];
  let more = 0;
  for await (const { key } of store.list(SET_ASIDE_PREFIX))
    if (key.endsWith(".reason.json")) {
      if (keys.length < REASONS_MAX) keys.push(key);
      else more++;
    }
  const objects: SetAsideObject[] = [];
  for await (const [aside, result] of concurrently(keys, FETCHES_MAX, (key) => store.get(key))) {
    const record = result.state === "found" ? parseJson(result.object.body) : undefined;
    const member = (name: string): unknown =>
      typeof record === "object" && record !== null ? Reflect.get(record, name) : undefined;
    const [key, reason] = [member("key"), member("reason")];
    if (typeof key === "string" && typeof reason === "string") objects.push({ key, reason, aside });
  }
  return { objects, more };
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}
