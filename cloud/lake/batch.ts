import type { ColumnData, ColumnTable } from "@sluice/shared/codec/columns.ts";
import type { LandingRange } from "@sluice/shared/contract/lake-key.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { concurrently } from "./concurrently.ts";
import type { Landed, Lost } from "./delta-action.ts";
import type { LandingObject, Step } from "./plan-landing.ts";
import { fetchLanding, readLanding } from "./read-landing.ts";
import { setAside } from "./set-aside.ts";
import type { LandedTable } from "./write-table.ts";

/** Landing objects that are fetched at once. Together they are no larger than what one commit takes. */
const FETCHES_MAX = 32;

/**
 * Decoded columns that one commit takes, in bytes: what is packed well may be a hundred times larger than in the lake.
 * They are gathered once more by day, and once more as Parquet, while the next ones are read: four times as much.
 */
export const HELD_BYTES_MAX = 134_217_728;

/** The rows of one commit, and what could not be used of its objects. */
export interface Batch {
  readonly state: "ready";
  /** The steps that were read: all, or the first ones whose rows fit in memory. */
  readonly steps: readonly Step[];
  readonly tables: readonly LandedTable[];
  readonly landed: readonly Landed[];
  readonly lost: readonly Lost[];
  readonly unknown: readonly { readonly range: LandingRange; readonly columns: readonly string[] }[];
  readonly heldBytes: number;
}

export interface BatchOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  /** Bytes of decoded columns after which no more objects are taken. */
  readonly heldBytesMax: number;
}

/** Reads the steps' objects; what cannot be used is set aside. "gone": an object is not there any more. */
export async function readBatch(
  { store, clock, heldBytesMax }: BatchOptions,
  steps: readonly Step[],
): Promise<Batch | { readonly state: "gone"; readonly object: LandingObject }> {
  const read: Step[] = [];
  const tables: LandedTable[] = [];
  const landed: Landed[] = [];
  const lost: Lost[] = [];
  const unknown: { readonly range: LandingRange; readonly columns: readonly string[] }[] = [];
  let heldBytes = 0;
  // Fetched many at a time, and unpacked one after the other, so that what unpacks to much does it alone.
  const fetches = concurrently(steps, FETCHES_MAX, ({ object }) => fetchLanding(store, object));
  for await (const [step, fetched] of fetches) {
    const { object, overlaps } = step;
    const { key, range } = object;
    const result = await readLanding(store, object, fetched);
    if (result.state === "gone") return { state: "gone", object };
    read.push(step);
    if (result.state === "ready" && !overlaps) {
      tables.push({ range, table: result.table });
      landed.push({ key, sha256: result.sha256, rows: result.table.count });
      if (result.unknown.length > 0) unknown.push({ range, columns: result.unknown });
      heldBytes += bytesOf(result.table);
      if (heldBytes >= heldBytesMax) break;
      continue;
    }
    const reason = result.state === "ready" ? "its range overlaps what is committed" : result.reason;
    const body = result.state === "ready" ? fetched?.body : result.body;
    lost.push({ key, reason, setAside: await setAside(store, clock, { key, body, reason }) });
  }
  return { state: "ready", steps: read, tables, landed, lost, unknown, heldBytes };
}

const bytesOf = ({ columns }: ColumnTable): number =>
  Object.values(columns).reduce((sum, data) => sum + columnBytes(data), 0);

/** What an array of a row costs beside its items. */
const ARRAY_BYTES = 32;

function columnBytes(data: ColumnData): number {
  switch (data.kind) {
    case "numbers":
    case "booleans":
      return data.values.byteLength;
    case "strings":
      return data.indices.byteLength + data.dictionary.reduce((sum, text) => sum + 2 * text.length, 0);
    case "binaries":
      return data.values.reduce((sum, value) => sum + ARRAY_BYTES + value.byteLength, 0);
    case "numberLists":
    case "stringLists":
      return data.values.reduce((sum, value) => sum + ARRAY_BYTES + 8 * value.length, 0);
  }
}
