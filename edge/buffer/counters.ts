import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Statement } from "better-sqlite3";
import { markChecksum } from "./marks.ts";
import type { SqliteFile } from "./sqlite-file.ts";

export const COUNTER_SCHEMA =
  "CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID";

/** What was counted since the buffer was made: in memory for whoever asks, on disk with what is counted. */
export class Counters {
  readonly #write: Statement;
  readonly #values: Map<string, number>;

  constructor(file: SqliteFile) {
    this.#write = file.prepare("INSERT OR REPLACE INTO counter VALUES (?, ?, ?)");
    const rows = file.prepare("SELECT * FROM counter").all() as {
      name: string;
      value: number;
      checksum: number;
    }[];
    const damaged = rows.find(({ name, value, checksum }) => markChecksum(name, value) !== checksum);
    if (damaged !== undefined)
      throw new PipelineError("buffer.damaged", `the counter ${damaged.name} is damaged: ${damaged.value}`);
    this.#values = new Map(rows.map((row) => [row.name, row.value]));
  }

  values(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#values);
  }

  /** Writes what the increments lead to, inside of a transaction; memory follows by `remember`, when it is durable. */
  write(increments: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
    const changed = new Map<string, number>();
    for (const [name, increment] of Object.entries(increments)) {
      if (increment === 0) continue;
      const value = (this.#values.get(name) ?? 0) + increment;
      changed.set(name, value);
      this.#write.run(name, value, markChecksum(name, value));
    }
    return changed;
  }

  remember(changed: ReadonlyMap<string, number>): void {
    for (const [name, value] of changed) this.#values.set(name, value);
  }
}
