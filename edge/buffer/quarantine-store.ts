import { existsSync } from "node:fs";
import { join } from "node:path";
import type { QuarantineRow } from "@sluice/shared/contract/quarantine.ts";
import { isSpoolTopic } from "@sluice/shared/contract/spool-topic.ts";
import type { RawMessage } from "@sluice/shared/contract/message.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { Bodies } from "./body.ts";
import { openChecked, openOrReplace } from "./checked-file.ts";
import { diskBytesOf, foldLog, letShrink, shrink, spaceOf } from "./file-space.ts";
import { openSqlite, type SqliteFile, sqliteError } from "./sqlite-file.ts";

/** Why a message, or a value in it, was refused. */
export type QuarantineCause = Pick<QuarantineRow, "index" | "reason" | "detail">;

/** A message of which something was refused, whole. */
export interface QuarantinedMessage {
  readonly epoch: string;
  readonly offset: number;
  readonly receivedAtUs: number;
  readonly client: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly causes: readonly QuarantineCause[];
  /** Which of its values were stored all the same. */
  readonly stored: string;
  /** Whether it came by the spool: then the payload is a spooled message, and client and topic are what it says. */
  readonly isSpooled: boolean;
  /** The release that it is part of; undefined where nobody asked for it yet. */
  readonly release: string | undefined;
}

interface Row {
  readonly epoch: string;
  readonly offset: number;
  readonly received_at_us: number;
  readonly body: Buffer;
  readonly release: string | null;
}

interface StoredBody {
  readonly client: string;
  readonly topic: string;
  readonly causes: readonly QuarantineCause[];
  readonly stored: string;
  readonly isSpooled: boolean;
}

export interface KeepOptions {
  readonly epoch: string;
  readonly bytesMax: number;
  /** Which values of a message were stored all the same, by offset. */
  readonly stored: ReadonlyMap<number, string>;
}

const FILE = "quarantine.db";

export const QUARANTINE_SCHEMA = `
  CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT, epoch TEXT NOT NULL, offset INTEGER NOT NULL,
    received_at_us INTEGER NOT NULL, body BLOB NOT NULL, release TEXT, UNIQUE (epoch, offset));
`;

const LENGTH_BYTES = 4;

/** Share of the disk budget beyond which nothing is kept: whoever sends only rubbish must not use it up. */
const BUDGET_SHARE_MAX = 1 / 8;

/** What the quarantine may hold. Pure. */
export const quarantineLimit = (settings: {
  readonly quarantineBytesMax: number;
  readonly diskBytesMax: number;
}): number => Math.min(settings.quarantineBytesMax, settings.diskBytesMax * BUDGET_SHARE_MAX);

/** Which message it is that cannot be read. */
export type DamagedMessage = Pick<QuarantinedMessage, "epoch" | "offset">;

/**
 * The messages of which something was refused, whole, so that they can be decoded again when a route or a contract was
 * mended. The lake has the reasons and the beginning of each payload for good; here the oldest make room for new ones.
 *
 * Commands write to the file while the gateway does, so what it holds is counted anew before anything is given up.
 */
export class QuarantineStore {
  readonly #file: SqliteFile;
  readonly #bodies: Bodies;
  #bytes: number;

  private constructor(file: SqliteFile, bodies: Bodies) {
    this.#file = file;
    this.#bodies = bodies;
    try {
      letShrink(file);
      file.exec(QUARANTINE_SCHEMA);
      this.#bytes = this.#countBytes();
    } catch (cause) {
      file.close();
      throw sqliteError(cause, `cannot use ${file.name}`);
    }
  }

  /** For the gateway. Throws PipelineError "buffer.unwritable", "buffer.disk_full"; a damaged file is set aside. */
  static open(dir: string, { log, bodies }: { readonly log: Log; readonly bodies: Bodies }): QuarantineStore {
    return openOrReplace(log, join(dir, FILE), (path) => new QuarantineStore(openChecked(path), bodies));
  }

  /**
   * For a command, while the gateway runs or not.
   *
   * Throws PipelineError "config.buffer_dir" where no gateway has made one, "buffer.damaged", "buffer.unwritable".
   */
  static attach(dir: string, bodies: Bodies): QuarantineStore {
    const path = join(dir, FILE);
    if (!existsSync(path))
      throw new PipelineError("config.buffer_dir", `${dir} holds no ${FILE}`, {
        hint: "Name the settings of a gateway that has run; its first start makes the file.",
      });
    try {
      return new QuarantineStore(openSqlite(path), bodies);
    } catch (cause) {
      if (!(cause instanceof PipelineError) || cause.code !== "buffer.damaged") throw cause;
      throw new PipelineError(cause.code, `${path} is damaged`, {
        cause,
        hint: "Stop the gateway and run sluice-gateway buffer repair --replace: it saves every message that is whole.",
      });
    }
  }

  /** What the file takes on disk. */
  diskBytes(): number {
    return diskBytesOf(this.#file.name);
  }

  /**
   * Keeps the messages that the rows are of; one that is kept already stays as it is. Durable when it returns. Returns
   * how many older ones were given up for them.
   */
  keep(
    messages: readonly RawMessage[],
    rows: readonly QuarantineRow[],
    { epoch, bytesMax, stored }: KeepOptions,
  ): number {
    if (rows.length === 0) return 0;
    const causes = Map.groupBy(rows, ({ offset }) => offset);
    let given = 0;
    try {
      this.#file.transaction(() => {
        const insert = this.#file.prepare(
          "INSERT OR IGNORE INTO message (epoch, offset, received_at_us, body) VALUES (?, ?, ?, ?)",
        );
        for (const message of messages) {
          const own = causes.get(message.offset);
          if (own === undefined) continue;
          const body = this.#bodies.seal(
            placeOf(epoch, message.offset),
            encodeBody(message, own, stored.get(message.offset) ?? ""),
          );
          const { changes } = insert.run(epoch, message.offset, Math.round(message.receivedAtUs), body);
          if (changes > 0) this.#bytes += body.length;
        }
        given = this.#makeRoom(bytesMax);
      })();
      foldLog(this.#file); // Its log may be as long as what it holds, and counts.
    } catch (cause) {
      throw sqliteError(cause, `cannot write to ${FILE}`);
    }
    return given;
  }

  #countBytes(): number {
    return Number(this.#file.prepare("SELECT coalesce(sum(length(body)), 0) FROM message").pluck().get());
  }

  #makeRoom(bytesMax: number): number {
    if (this.#bytes <= bytesMax) return 0;
    this.#bytes = this.#countBytes();
    let given = 0;
    const oldest = this.#file.prepare(
      "SELECT id, length(body) AS bytes FROM message WHERE release IS NULL ORDER BY id LIMIT 1",
    );
    const remove = this.#file.prepare("DELETE FROM message WHERE id = ?");
    while (this.#bytes > bytesMax) {
      const row = oldest.get() as { id: number; bytes: number } | undefined;
      if (row === undefined) break;
      remove.run(row.id);
      this.#bytes -= row.bytes;
      given += 1;
    }
    return given;
  }

  /** All that is kept, oldest first; one at a time, because payloads may be large. Damaged ones are only named. */
  *messages(damaged: (message: DamagedMessage) => void): Generator<QuarantinedMessage> {
    const next = this.#file.prepare("SELECT * FROM message WHERE id > ? ORDER BY id LIMIT 1");
    for (let id = 0; ;) {
      const row = next.get(id) as (Row & { readonly id: number }) | undefined;
      if (row === undefined) return;
      id = row.id;
      const message = this.#readWhole(row);
      if (message === undefined) damaged({ epoch: row.epoch, offset: row.offset });
      else yield message;
    }
  }

  /**
   * Marks messages as part of a release, in one transaction, before the first of them is handed over; not those that
   * another release has taken meanwhile.
   */
  release(messages: readonly Pick<QuarantinedMessage, "epoch" | "offset">[], release: string): void {
    try {
      this.#file.transaction(() => {
        const mark = this.#file.prepare(
          "UPDATE message SET release = ? WHERE epoch = ? AND offset = ? AND release IS NULL",
        );
        for (const { epoch, offset } of messages) mark.run(release, epoch, offset);
      })();
    } catch (cause) {
      throw sqliteError(cause, `cannot write to ${FILE}`);
    }
  }

  /** Releases that were begun and not ended, the oldest first. */
  releases(): readonly string[] {
    const all = this.#file.prepare(
      "SELECT release FROM message WHERE release IS NOT NULL GROUP BY release ORDER BY min(id)",
    );
    return all.pluck().all() as string[];
  }

  /** Forgets the messages of a release, when all of them are handed over, and gives their room back to the disk. */
  forget(release: string): void {
    try {
      this.#file.prepare("DELETE FROM message WHERE release = ?").run(release);
      shrink(this.#file, spaceOf(this.#file).freeBytes);
    } catch (cause) {
      throw sqliteError(cause, `cannot write to ${FILE}`);
    }
  }

  close(): void {
    this.#file.close();
  }

  #readWhole(row: Row): QuarantinedMessage | undefined {
    try {
      return this.#read(row);
    } catch (error) {
      if (error instanceof PipelineError && error.code === "buffer.damaged") return undefined;
      throw error;
    }
  }

  #read(row: Row): QuarantinedMessage {
    const body = this.#bodies.open(placeOf(row.epoch, row.offset), row.body);
    return {
      epoch: row.epoch,
      offset: row.offset,
      receivedAtUs: row.received_at_us,
      release: row.release ?? undefined,
      ...decodeBody(body),
    };
  }
}

/** Where a message belongs, as its checksum or its encryption knows it. */
export const placeOf = (epoch: string, offset: number): string => `quarantine ${epoch} ${offset}`;

/** The length of the head u32 little-endian, the head as JSON, the payload. */
function encodeBody(message: RawMessage, rows: readonly QuarantineRow[], stored: string): Uint8Array {
  const { payload } = message;
  const { client, topic } = rows[0] ?? message;
  const isSpooled = isSpoolTopic(message.topic);
  const causes = rows.map(({ index, reason, detail }) => ({ index, reason, detail }));
  const head = new TextEncoder().encode(
    JSON.stringify({ client, topic, causes, stored, isSpooled } satisfies StoredBody),
  );
  const body = new Uint8Array(LENGTH_BYTES + head.length + payload.length);
  new DataView(body.buffer).setUint32(0, head.length, true);
  body.set(head, LENGTH_BYTES);
  body.set(payload, LENGTH_BYTES + head.length);
  return body;
}

function decodeBody(body: Uint8Array): StoredBody & { readonly payload: Uint8Array } {
  const headEnd =
    LENGTH_BYTES + new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(body.subarray(LENGTH_BYTES, headEnd))) as StoredBody;
  return { ...head, payload: body.slice(headEnd) };
}
