import type { Statement } from "better-sqlite3";
import type { SqliteFile } from "./sqlite-file.ts";

export const MARK_SCHEMA = "CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value) WITHOUT ROWID";

/** Named values in a file of the buffer, one row each: how far something has come, and short notes. */
export class Marks {
  readonly #get: Statement;
  readonly #set: Statement;

  constructor(file: SqliteFile) {
    this.#get = file.prepare("SELECT value FROM mark WHERE name = ?").pluck();
    this.#set = file.prepare("INSERT OR REPLACE INTO mark VALUES (?, ?)");
  }

  number(name: string, otherwise: number): number {
    const value = this.#get.get(name);
    return typeof value === "number" ? value : otherwise;
  }

  text(name: string): string | undefined {
    const value = this.#get.get(name);
    return typeof value === "string" ? value : undefined;
  }

  /** Durable with the transaction around it. */
  set(name: string, value: string | number): void {
    this.#set.run(name, value);
  }
}
