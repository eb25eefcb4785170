import { existsSync } from "node:fs";
import { join } from "node:path";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { openChecked, openOrReplace } from "./checked-file.ts";
import { MARK_SCHEMA, Marks } from "./marks.ts";
import { type SqliteFile, sqliteError } from "./sqlite-file.ts";

const DELIVERED = "delivered";
const SUSPECT = "suspect";

/**
 * What must be known when the state file is damaged, in a small file of its own: how far the lake has everything, and
 * that damage was found in the state while the gateway ran.
 */
export class LakeMarks {
  readonly #file: SqliteFile;
  readonly #marks: Marks;

  private constructor(file: SqliteFile) {
    this.#file = file;
    this.#marks = new Marks(file);
    // What is damaged shows here, where the file can be replaced.
    this.#marks.number(DELIVERED, -1);
    this.#marks.number(SUSPECT, 0);
  }

  /** Throws PipelineError "buffer.unwritable", "buffer.disk_full"; a damaged file is set aside, and all is forgotten. */
  static open(dir: string, log: Log): LakeMarks {
    return openOrReplace(log, join(dir, "marks.db"), (path) => {
      const file = openChecked(path);
      try {
        file.exec(MARK_SCHEMA);
        return new LakeMarks(file);
      } catch (cause) {
        file.close();
        throw sqliteError(cause, `cannot use ${path}`);
      }
    });
  }

  /** The last message offset of which the lake has everything, as far as it is known here. */
  get deliveredThrough(): number {
    return this.#marks.number(DELIVERED, -1);
  }

  /** Durable when it returns; it does not go back. */
  setDelivered(through: number): void {
    if (through > this.deliveredThrough) this.#marks.set(DELIVERED, through);
  }

  /** The next start begins a new epoch, and does not stop at the same damage again. */
  suspectState(): void {
    this.#marks.set(SUSPECT, 1);
  }

  /** Throws "buffer.damaged" for a state that is suspect, until it is out of the way. */
  refuseSuspect(path: string): void {
    if (this.#marks.number(SUSPECT, 0) === 0) return;
    if (existsSync(path)) throw new PipelineError("buffer.damaged", `${path}: a row in it could not be read`);
    this.#marks.set(SUSPECT, 0);
  }

  close(): void {
    this.#file.close();
  }
}
