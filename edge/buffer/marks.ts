import { crc32 } from "node:zlib";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Statement } from "better-sqlite3";
import type { SqliteFile } from "./sqlite-file.ts";

export const MARK_SCHEMA =
  "CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value, checksum INTEGER NOT NULL) WITHOUT ROWID";

/**
 * Named values in a file of the buffer, one row each: how far something has come, and short notes. SQLite does not see a
 * flipped bit in a number, so each row carries a checksum.
 */
export class Marks {
  readonly #get: Statement;
  readonly #set: Statement;

  constructor(file: SqliteFile) {
    this.#get = file.prepare("SELECT value, checksum FROM mark WHERE name = ?");
    this.#set = file.prepare("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)");
  }

  /** Throws PipelineError "buffer.damaged", as `text` does. */
  number(name: string, otherwise: number): number {
    const value = this.#value(name);
    return typeof value === "number" ? value : otherwise;
  }

  text(name: string): string | undefined {
    const value = this.#value(name);
    return typeof value === "string" ? value : undefined;
  }

  /** Durable with the transaction around it. */
  set(name: string, value: string | number): void {
    this.#set.run(name, value, markChecksum(name, value));
  }

  #value(name: string): unknown {
    const row = this.#get.get(name) as { readonly value: unknown; readonly checksum: number } | undefined;
    if (row !== undefined && markChecksum(name, row.value) !== row.checksum)
      throw new PipelineError("buffer.damaged", `the mark ${name} is damaged: ${String(row.value)}`);
    return row?.value;
  }
}

/** CRC-32 of a named value. */
export const markChecksum = (name: string, value: unknown): number => crc32(`${name}=${String(value)}`);
