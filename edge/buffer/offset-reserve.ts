import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { syncFolder as syncFolderSoon, writeSynced } from "@sluice/shared/runtime/synced-file.ts";
import { sqliteError, syncFolder } from "./sqlite-file.ts";

/** How many offsets are reserved at once: one more sync for so many messages, and the widest gap after damage. */
const RESERVED_COUNT = 65_536;

/**
 * An offset that no stored message has reached, kept in a file of its own.
 *
 * It is what is left to know when the newest file of the log cannot be read: new messages begin there, so that no offset
 * is ever given twice, and what is found in the damaged file later still has an offset of its own.
 */
export class OffsetReserve {
  readonly #path: string;
  #end: number;

  /** Opens the reserve, or begins it at 0 where there is none; one that is not whole counts as none. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#end = existsSync(path) ? parseReserve(readFileSync(path, "utf8")) : 0;
    } catch (cause) {
      throw sqliteError(cause, `cannot read ${path}`);
    }
  }

  /** No message was ever stored at this offset or after it. */
  get end(): number {
    return this.#end;
  }

  /** To be called before messages up to `endOffset` (exclusive) are stored. Durable when it returns. */
  reserve(endOffset: number): void {
    if (endOffset > this.#end) this.#write(endOffset + RESERVED_COUNT);
  }

  /**
   * Reserves the next offsets when half of them are given, without waiting for the disk. Nothing else of the reserve may
   * be called until it is done; what fails here is tried again, and told, when the offsets are wanted.
   */
  async ahead(nextOffset: number): Promise<void> {
    if (this.#end - nextOffset > RESERVED_COUNT / 2 || nextOffset > this.#end) return;
    const end = nextOffset + RESERVED_COUNT;
    const draft = `${this.#path}.new`;
    try {
      await rm(draft, { force: true });
      await writeSynced(draft, Buffer.from(textOf(end)));
      await rename(draft, this.#path);
      await syncFolderSoon(dirname(this.#path));
      this.#end = end;
    } catch {
      return; // The old mark still holds.
    }
  }

  /** Gives back what was reserved and not used. */
  close(endOffset: number): void {
    if (endOffset !== this.#end) this.#write(endOffset);
  }

  #write(end: number): void {
    const draft = `${this.#path}.new`;
    try {
      const handle = openSync(draft, "w");
      try {
        writeSync(handle, textOf(end));
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
      renameSync(draft, this.#path); // The old mark or the new one, never half of one.
      syncFolder(dirname(this.#path));
    } catch (cause) {
      throw sqliteError(cause, `cannot write ${this.#path}`);
    }
    this.#end = end;
  }
}

const textOf = (end: number): string => `${end} ${crc32(String(end))}\n`;

/** The offset that a reserve's text says; 0 where it is not whole. */
export function parseReserve(text: string): number {
  const [end = "", checksum] = text.trimEnd().split(" ");
  return checksum === String(crc32(end)) && Number.isSafeInteger(Number(end)) ? Number(end) : 0;
}
