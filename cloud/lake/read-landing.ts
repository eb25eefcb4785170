import { numberAt, type ColumnTable } from "@sluice/shared/codec/columns.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { decodeLanding } from "@sluice/shared/codec/landing.ts";
import { type LandingRange, SHA256_METADATA } from "@sluice/shared/contract/lake-key.ts";
import { isNumbered } from "@sluice/shared/contract/stream.ts";
import { type Column, LANDING_COLUMNS } from "@sluice/shared/contract/table.ts";
import { describeError, PipelineError, recoveryOf } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore, StoredObject } from "@sluice/shared/store/object-store.ts";
import type { LandingObject } from "./plan-landing.ts";

/** Largest landing object that is read, in bytes: thirty times the largest batch that a gateway makes. */
export const LANDING_BYTES_MAX = 268_435_456;

/** What became of reading a landing object. "gone": another committer has deleted it. */
export type LandingRead =
  | { readonly state: "ready"; readonly table: ColumnTable; readonly sha256: string }
  | { readonly state: "unusable"; readonly reason: string; readonly body: Uint8Array | undefined }
  | { readonly state: "gone" };

/**
 * Fetches a landing object and checks that it is whole and what its key says: checksum, columns, rows in range.
 *
 * What looks damaged is fetched once more, because the wire can be at fault. Only the store's errors are thrown.
 */
export async function readLanding(store: ObjectStore, object: LandingObject): Promise<LandingRead> {
  if (object.bytes > LANDING_BYTES_MAX)
    return {
      state: "unusable",
      reason: `${object.bytes} bytes, at most ${LANDING_BYTES_MAX} are read`,
      body: undefined,
    };
  const first = await tryRead(store, object);
  return first.state === "unusable" ? tryRead(store, object) : first;
}

async function tryRead(store: ObjectStore, object: LandingObject): Promise<LandingRead> {
  const result = await store.get(object.key);
  if (result.state !== "found") return { state: "gone" };
  try {
    return { state: "ready", ...checkLanding(object.range, result.object) };
  } catch (error) {
    if (recoveryOf(error) !== "quarantine") throw error;
    return { state: "unusable", reason: describeError(error), body: result.object.body };
  }
}

function checkLanding(
  range: LandingRange,
  { body, metadata }: StoredObject,
): { readonly table: ColumnTable; readonly sha256: string } {
  const sha256 = sha256Hex(body);
  const stated = metadata[SHA256_METADATA];
  // A copied lake may have lost its metadata; then the frame's own checksum must do.
  if (stated !== undefined && stated !== sha256)
    throw new PipelineError("landing.damaged", `SHA-256 is ${sha256}, the gateway stated ${stated}`);
  const table = decodeLanding(range.stream, body);
  checkOrder(range, table);
  for (const column of LANDING_COLUMNS[range.stream])
    if (column.type === "timestamp" || column.type === "long") checkExact(column, table);
  return { table, sha256 };
}

/**
 * Rows lie in the key's range, and no two have the same identity. There may be fewer than the range has numbers, or
 * none: a gateway that came to its disk budget thins out what it has, and tells so in its events.
 */
function checkOrder(range: LandingRange, table: ColumnTable): void {
  const major = table.columns[isNumbered(range.stream) ? "seq" : "offset"];
  const minor = table.columns["index"];
  let last = { offset: -1, index: -1 };
  for (let row = 0; row < table.count; row++) {
    const offset = numberAt(major, row);
    const index = minor === undefined ? 0 : numberAt(minor, row);
    if (!(offset >= range.from && offset <= range.to))
      throw foreign(`row ${row} has number ${offset}, the key says ${range.from} to ${range.to}`);
    if (offset < last.offset || (offset === last.offset && index <= last.index))
      throw foreign(`row ${row} has number ${offset}.${index} after ${last.offset}.${last.index}`);
    last = { offset, index };
  }
}

/** Whole numbers and times must be exact as doubles: times lie in the years 1684 to 2255. */
function checkExact(column: Column, table: ColumnTable): void {
  const data = table.columns[column.name];
  if (data?.kind !== "numbers") return;
  for (let row = 0; row < table.count; row++) {
    const value = data.values[row];
    if (!Number.isSafeInteger(value)) throw foreign(`row ${row} has ${column.name} ${value}`);
  }
}

const foreign = (what: string): PipelineError =>
  new PipelineError("landing.foreign", what, {
    hint: "No gateway writes that: look for another program that writes below landing/.",
  });
