import { type ColumnTable, numberAt } from "@sluice/shared/codec/columns.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { decodeLandingVersion } from "@sluice/shared/codec/landing.ts";
import { type LandingRange, SHA256_METADATA } from "@sluice/shared/contract/lake-key.ts";
import { isNumbered } from "@sluice/shared/contract/stream.ts";
import { type Column, LANDING_COLUMNS } from "@sluice/shared/contract/table.ts";
import { describeError, PipelineError, recoveryOf } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore, StoredObject } from "@sluice/shared/store/object-store.ts";
import type { LandingObject } from "./plan-landing.ts";

/** Largest landing object that is read, in bytes: thirty times the largest batch that a gateway makes. */
export const LANDING_BYTES_MAX = 268_435_456;

/** What became of reading a landing object. "gone": it is not there any more. */
export type LandingRead =
  | {
      readonly state: "ready";
      readonly table: ColumnTable;
      readonly sha256: string;
      /** Columns of a newer version, which are left out. */
      readonly unknown: readonly string[];
    }
  | { readonly state: "unusable"; readonly reason: string; readonly body: Uint8Array | undefined }
  | { readonly state: "gone" };

/** A landing object's bytes; undefined where it is gone, or too large to be fetched. */
export async function fetchLanding(
  store: ObjectStore,
  object: LandingObject,
): Promise<StoredObject | undefined> {
  if (object.bytes > LANDING_BYTES_MAX) return undefined;
  const result = await store.get(object.key);
  return result.state === "found" ? result.object : undefined;
}

/**
 * Checks that a landing object is whole and what its key says: checksum, columns, rows in range.
 *
 * What looks damaged is fetched once more, because the wire can be at fault. Only the store's errors are thrown.
 */
export async function readLanding(
  store: ObjectStore,
  object: LandingObject,
  fetched: StoredObject | undefined,
): Promise<LandingRead> {
  if (object.bytes > LANDING_BYTES_MAX)
    return {
      state: "unusable",
      reason: `${object.bytes} bytes, at most ${LANDING_BYTES_MAX} are read`,
      body: undefined,
    };
  const first = tryRead(object.range, fetched);
  return first.state === "unusable" ? tryRead(object.range, await fetchLanding(store, object)) : first;
}

function tryRead(range: LandingRange, fetched: StoredObject | undefined): LandingRead {
  if (fetched === undefined) return { state: "gone" };
  try {
    return { state: "ready", ...checkLanding(range, fetched) };
  } catch (error) {
    if (recoveryOf(error) !== "quarantine") throw error;
    return { state: "unusable", reason: describeError(error), body: fetched.body };
  }
}

function checkLanding(
  range: LandingRange,
  { body, metadata }: StoredObject,
): { readonly table: ColumnTable; readonly sha256: string; readonly unknown: readonly string[] } {
  const sha256 = sha256Hex(body);
  const stated = metadata[SHA256_METADATA];
  // A copied lake may have lost its metadata; then the frame's own checksum must do.
  if (stated !== undefined && stated !== sha256)
    throw new PipelineError("landing.damaged", `SHA-256 is ${sha256}, the gateway stated ${stated}`);
  const { table, unknown } = decodeLandingVersion(range.stream, body);
  checkOrder(range, table);
  for (const column of LANDING_COLUMNS[range.stream])
    if (column.type === "timestamp" || column.type === "long") checkExact(column, table);
  return { table, sha256, unknown };
}

/**
 * Rows lie in the key's range, and no two have the same identity. There may be fewer than the range has numbers, or
 * none: a gateway that came to its disk budget thins out what it has, and tells so in its events.
 */
function checkOrder(range: LandingRange, table: ColumnTable): void {
  const major = table.columns[isNumbered(range.stream) ? "seq" : "offset"];
  const minor = table.columns["index"];
  let lastOffset = -1;
  let lastIndex = -1;
  for (let row = 0; row < table.count; row++) {
    const offset = numberAt(major, row);
    const index = minor === undefined ? 0 : numberAt(minor, row);
    if (!(offset >= range.from && offset <= range.to))
      throw foreign(`row ${row} has number ${offset}, the key says ${range.from} to ${range.to}`);
    if (offset < lastOffset || (offset === lastOffset && index <= lastIndex))
      throw foreign(`row ${row} has number ${offset}.${index} after ${lastOffset}.${lastIndex}`);
    lastOffset = offset;
    lastIndex = index;
  }
}

/** Whole numbers and times must be exact as doubles: times lie in the years 1684 to 2255. */
function checkExact(column: Column, table: ColumnTable): void {
  const data = table.columns[column.name];
  if (data?.kind !== "numbers") return;
  const { values } = data;
  for (let row = 0; row < values.length; row++)
    if (!Number.isSafeInteger(values[row])) throw foreign(`row ${row} has ${column.name} ${values[row]}`);
}

const foreign = (what: string): PipelineError =>
  new PipelineError("landing.foreign", what, {
    hint: "No gateway writes that: look for another program that writes below landing/.",
  });
