import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { openChecked, openOrReplace } from "./checked-file.ts";
import { MARK_SCHEMA, Marks } from "./marks.ts";
import type { AppendedRows } from "./pending.ts";
import { type SqliteFile, sqliteError } from "./sqlite-file.ts";
import { SyncMode } from "./sync-mode.ts";

const DELIVERED = "delivered";
const SUSPECT = "suspect";
/** Per stream, the epoch and the last row that a batch had that was ever sent. */
const SENT = "sent";

/** The streams whose rows carry message offsets: with them in the lake, all that a message said is there. */
export const MESSAGE_STREAMS: readonly Stream[] = ["readings", "labels", "quarantine"];

/**
 * What must be known when the state file is damaged, in a small file of its own: how far the lake has everything, how
 * far it has each stream, what it may have of the state's epoch, and that damage was found in the state while the
 * gateway ran.
 *
 * Offsets are never given twice, so what the lake has of a stream stays true in a new epoch: rows that are derived again
 * and are there already are left out.
 */
export class LakeMarks {
  readonly #file: SqliteFile;
  readonly #sync: SyncMode;
  readonly #marks: Marks;
  readonly #streams: Map<Stream, number>;

  /** Hears of each write that failed. */
  readonly #failed: (error: Error) => void;

  private constructor(file: SqliteFile, failed: (error: Error) => void) {
    this.#failed = failed;
    this.#file = file;
    this.#sync = new SyncMode(file);
    this.#marks = new Marks(file);
    // What is damaged shows here, where the file can be replaced.
    this.#marks.number(DELIVERED, -1);
    this.#marks.number(SUSPECT, 0);
    for (const stream of STREAMS) this.#marks.text(`${SENT}.${stream}`);
    this.#streams = new Map(
      MESSAGE_STREAMS.map((stream) => [stream, this.#marks.number(`${DELIVERED}.${stream}`, -1)]),
    );
  }

  /** Throws PipelineError "buffer.unwritable", "buffer.disk_full"; a damaged file is set aside, and all is forgotten. */
  static open(dir: string, log: Log, failed: (error: Error) => void = () => undefined): LakeMarks {
    return openOrReplace(log, join(dir, "marks.db"), (path) => {
      const file = openChecked(path);
      try {
        file.exec(MARK_SCHEMA);
        return new LakeMarks(file, failed);
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

  /** Durable with the next mark that is, because it may lag behind: what is derived again is known by its stream's. It does not go back. */
  setDelivered(through: number): void {
    if (through > this.deliveredThrough) this.#set(DELIVERED, through, "unsynced");
  }

  /** To be called before the state forgets a batch that the lake has, up to `to`. Durable when it returns. */
  setStream(stream: Stream, to: number): void {
    if (to <= (this.#streams.get(stream) ?? Infinity)) return;
    this.#set(`${DELIVERED}.${stream}`, to);
    this.#streams.set(stream, to);
  }

  /** To be called before a batch with rows up to `to` is sent for the first time. Durable when it returns. */
  setSent(epoch: string, stream: Stream, to: number): void {
    if (to > this.#sent(epoch, stream)) this.#set(`${SENT}.${stream}`, `${epoch} ${to}`);
  }

  /**
   * Throws PipelineError "buffer.damaged" for a state that knows nothing of a batch that was sent: the end of its
   * write-ahead log is gone, which SQLite cannot see. Other batches of the same rows would follow in the same epoch, and
   * the lake would refuse them.
   */
  refuseOlder(epoch: string, sealedThrough: (stream: Stream) => number): void {
    for (const stream of STREAMS) {
      const sent = this.#sent(epoch, stream);
      if (sent > sealedThrough(stream))
        throw new PipelineError(
          "buffer.damaged",
          `the state is older than it was: ${stream} through ${sent} were sent, it knows of ${sealedThrough(stream)}`,
        );
    }
  }

  #sent(epoch: string, stream: Stream): number {
    const [sentEpoch, to] = (this.#marks.text(`${SENT}.${stream}`) ?? "").split(" ");
    return sentEpoch === epoch ? Number(to) : -1;
  }

  /** The last offset that the lake has of any of the streams. */
  get newestOffset(): number {
    return Math.max(...this.#streams.values());
  }

  /** Where a step must end that begins at `from`: what the lake has of a stream must not share a chunk with what it lacks. */
  stepEnd(from: number): number {
    return Math.min(...[...this.#streams.values()].filter((to) => to >= from));
  }

  /** The rows that the lake does not have. */
  missing(appended: readonly AppendedRows[]): readonly AppendedRows[] {
    return appended.filter(({ stream, to }) => to > (this.#streams.get(stream) ?? -1));
  }

  /** After damage in the state the next start begins a new epoch, and does not stop at the same damage again. */
  noteStateFailure(error: PipelineError): PipelineError {
    if (error.code === "buffer.damaged") this.#set(SUSPECT, 1);
    else this.#failed(error);
    return error;
  }

  /** Throws "buffer.damaged" for a state that is suspect, until it is out of the way. */
  refuseSuspect(path: string): void {
    if (this.#marks.number(SUSPECT, 0) === 0) return;
    if (existsSync(path)) throw new PipelineError("buffer.damaged", `${path}: a row in it could not be read`);
    this.#set(SUSPECT, 0);
  }

  close(): void {
    this.#file.close();
  }

  #set(name: string, value: string | number, sync: "synced" | "unsynced" = "synced"): void {
    try {
      this.#sync.set(sync === "synced");
      this.#marks.set(name, value);
    } catch (cause) {
      const error = sqliteError(cause, `cannot write to ${this.#file.name}`);
      this.#failed(error);
      throw error;
    }
  }
}
