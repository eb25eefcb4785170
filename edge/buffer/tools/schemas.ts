import { basename } from "node:path";
import Database from "better-sqlite3";
import { MARK_SCHEMA } from "../marks.ts";
import { QUARANTINE_SCHEMA } from "../quarantine-store.ts";
import { SEGMENT_SCHEMA } from "../segment.ts";
import { STATE_SCHEMA } from "../state-schema.ts";
import { madeAs } from "./sqlite-tree.ts";

/** How the files of a buffer are made, by how their names begin. */
const SCHEMAS: readonly (readonly [start: string, sql: string])[] = [
  ["segment-", SEGMENT_SCHEMA],
  ["state.db", STATE_SCHEMA],
  ["marks.db", MARK_SCHEMA],
  ["quarantine.db", QUARANTINE_SCHEMA],
];

const known = new Map<string, ReadonlyMap<string, string>>();

/** What SQLite notes of the tables and indexes of a file when it makes them, by name. */
export function expectedSchema(path: string): ReadonlyMap<string, string> {
  const sql = SCHEMAS.find(([start]) => basename(path).startsWith(start))?.[1] ?? "";
  const before = known.get(sql);
  if (before !== undefined) return before;
  const file = new Database(":memory:");
  try {
    file.exec(sql);
    const rows = file
      .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")
      .raw()
      .all() as unknown[][];
    const schema = new Map(
      rows.map(([type, name, table, made]) => [String(name), madeAs(type, table, made)]),
    );
    known.set(sql, schema);
    return schema;
  } finally {
    file.close();
  }
}
