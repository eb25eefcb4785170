import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { type Bodies, checkpointPlace } from "../body.ts";
import { markChecksum } from "../marks.ts";
import { outboxPlace } from "../outbox.ts";
import { pendingPlace } from "../pending.ts";
import { placeOf } from "../quarantine-store.ts";
import { expectedSchema } from "./schemas.ts";
import { Problems } from "./segment-rows.ts";
import type { SqliteImage } from "./sqlite-image.ts";
import type { SqlValue } from "./sqlite-record.ts";
import { SqliteTrees } from "./sqlite-tree.ts";

/** A row of a state file, of the marks or of the quarantine, as it is stored. */
export interface StateRow {
  readonly table: string;
  /** All columns; the row's own number is in its place. */
  readonly values: readonly SqlValue[];
}

/** Offsets of rows that are not there as they were stored. */
export interface LostRows {
  readonly what: string;
  readonly stream: string;
  readonly from: number;
  readonly through: number;
}

export interface StateReading {
  readonly problems: Problems;
  readonly lost: readonly LostRows[];
  /** Whether every row of every table is there: what is wrong is then only how they are found. */
  readonly isComplete: boolean;
}

/** Tables whose first column is the row's own number. */
const NUMBERED = new Set(["pending", "outbox", "checkpoint", "batch_fate", "kept_window", "message"]);

/** Indexes and the columns of their table that they hold before the row's number. */
const INDEXES: Readonly<Record<string, { readonly table: string; readonly columns: readonly number[] }>> = {
  pending_by_stream: { table: "pending", columns: [1, 0] },
  outbox_by_stream: { table: "outbox", columns: [1, 0] },
  sqlite_autoindex_outbox_1: { table: "outbox", columns: [5] },
  sqlite_autoindex_message_1: { table: "message", columns: [1, 2] },
};

/**
 * Reads a state file, the marks, or the quarantine, without SQLite and without writing; `visit` gets each row that is
 * whole: right by its checksum, its batch's SHA-256 too, and readable as what it says it is. Rows without a checksum are
 * taken as they are.
 */
export function readState(image: SqliteImage, bodies: Bodies, visit: (row: StateRow) => void): StateReading {
  const problems = new Problems();
  const { report } = problems;
  for (const problem of image.problems) report(problem);
  const trees = new SqliteTrees(image, report);
  const lost: LostRows[] = [];
  const keys = new Map<string, number>();
  const roots = trees.roots(expectedSchema(image.path));
  let isComplete = problems.count === image.problems.length && roots.size > 0 && !image.isLogBroken;
  for (const [table, root] of roots) {
    if (root === 0) continue;
    const before = problems.count;
    for (const { rowid, values: stored } of trees.rows(root)) {
      const index = INDEXES[table];
      if (index !== undefined) {
        addKey(keys, table, stored);
        continue;
      }
      const values = NUMBERED.has(table) ? [rowid ?? null, ...stored.slice(1)] : stored;
      for (const [name, { table: of, columns }] of Object.entries(INDEXES))
        if (of === table)
          addKey(
            keys,
            name,
            [...columns, 0].map((column) => values[column] ?? null),
            -1,
          );
      const damage = damageOf(table, values, bodies);
      if (damage === undefined) visit({ table, values });
      else {
        report(damage);
        const rows = rangeOf(table, values);
        if (rows !== undefined) lost.push(rows);
      }
    }
    if (INDEXES[table] === undefined && problems.count > before) isComplete = false;
  }
  for (const [name, sum] of keys) if (sum !== 0) report(`the index ${name} does not fit its table`);
  trees.checkPages();
  return { problems, lost, isComplete };
}

/** A sum over keys that is 0 where a table and its index hold the same, in whatever order. */
function addKey(keys: Map<string, number>, index: string, key: readonly SqlValue[], sign: 1 | -1 = 1): void {
  keys.set(index, (keys.get(index) ?? 0) + sign * (crc32(key.map(String).join(" ")) + 1));
}

/** What is wrong with a row; undefined where it is whole. */
function damageOf(table: string, values: readonly SqlValue[], bodies: Bodies): string | undefined {
  try {
    switch (table) {
      case "mark":
      case "counter":
        return markChecksum(String(values[0]), values[1]) === values[2]
          ? undefined
          : `the ${table} ${String(values[0])} is damaged`;
      case "pending":
        return pendingDamage(values, bodies);
      case "outbox":
        return outboxDamage(values, bodies);
      case "checkpoint":
        bodies.open(checkpointPlace(Number(values[1])), bytesOf(values[2]));
        return undefined;
      case "message":
        bodies.open(placeOf(String(values[1]), Number(values[2])), bytesOf(values[4]));
        return undefined;
      default:
        return undefined;
    }
  } catch (error) {
    // A key that is missing or wrong says nothing about the file.
    if (error instanceof PipelineError && error.code.startsWith("keys.")) throw error;
    return describeError(error);
  }
}

function pendingDamage(values: readonly SqlValue[], bodies: Bodies): string | undefined {
  const [id, name, from, to, rows, atUs, chunk] = values;
  const stream = streamOf(name);
  if (stream === undefined) return `the pending rows ${String(id)} are of no stream`;
  const place = {
    stream,
    from_offset: Number(from),
    to_offset: Number(to),
    rows: Number(rows),
    at_us: Number(atUs),
  };
  decodeChunk(stream, bodies.open(pendingPlace(place), bytesOf(chunk)));
  return undefined;
}

function outboxDamage(values: readonly SqlValue[], bodies: Bodies): string | undefined {
  const [id, name, from, to, rows, key, sha256, stored] = values;
  const stream = streamOf(name);
  if (stream === undefined) return `the batch ${String(id)} is of no stream`;
  const batch = { stream, from: Number(from), to: Number(to), rows: Number(rows) };
  const place = outboxPlace({ ...batch, key: String(key), sha256: String(sha256) });
  const body = bodies.open(place, bytesOf(stored));
  return createHash("sha256").update(body).digest("hex") === sha256
    ? undefined
    : `the batch ${String(key)} is not what its SHA-256 says`;
}

function rangeOf(table: string, values: readonly SqlValue[]): LostRows | undefined {
  if (table === "message") {
    const offset = Number(values[2]);
    return { what: "quarantined message of", stream: String(values[1]), from: offset, through: offset };
  }
  if (table !== "pending" && table !== "outbox") return undefined;
  const [, stream, from, through] = values;
  return { what: table, stream: String(stream), from: Number(from), through: Number(through) };
}

const streamOf = (name: SqlValue | undefined): Stream | undefined =>
  STREAMS.find((stream) => stream === name);

function bytesOf(value: SqlValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}
