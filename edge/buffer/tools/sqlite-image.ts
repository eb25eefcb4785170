import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { holdSnapshot, sqliteError } from "../sqlite-file.ts";
import { PAGE_BYTES, readWalFrames, type WalFrames } from "./sqlite-wal.ts";

/** How much is read at once: pages are mostly asked for in order. */
const WINDOW_BYTES = 262_144;

const MAGIC = "SQLite format 3\0";

/** What the header of a file of ours says at these places (sqlite.org/fileformat2.html, §1.3); anything else is damage. */
const FIXED: readonly { readonly at: number; readonly values: readonly number[]; readonly name: string }[] = [
  { at: 18, values: [1, 2], name: "write version" },
  { at: 19, values: [1, 2], name: "read version" },
  { at: 20, values: [0], name: "reserved bytes" },
  { at: 21, values: [64], name: "payload fraction" },
  { at: 22, values: [32], name: "payload fraction" },
  { at: 23, values: [32], name: "payload fraction" },
  { at: 47, values: [4], name: "schema format" },
  { at: 59, values: [1], name: "text encoding" },
];

/**
 * The pages of a SQLite file with its write-ahead log, read without SQLite: nothing is locked for long, nothing is
 * written, and a broken file can be read as far as it can.
 *
 * While a gateway writes to the file, a read transaction is held besides: what a snapshot needs is then neither
 * overwritten in the file nor in its log (sqlite.org/wal.html, "Concurrency").
 */
export class SqliteImage {
  readonly path: string;
  readonly pageBytes: number;
  readonly pageCount: number;
  /** No page has a higher number, in whatever state. */
  readonly pageCountMax: number;
  /** What is wrong with the header or the write-ahead log. */
  readonly problems: readonly string[];
  /** Whether commits may be missing because the write-ahead log is not whole. */
  readonly isLogBroken: boolean;
  readonly #main: number;
  readonly #size: number;
  readonly #wal: WalFrames | undefined;
  readonly #release: () => void;
  readonly #version: string;
  #window: { readonly at: number; readonly bytes: Buffer } | undefined;

  /** Throws PipelineError "buffer.unwritable" without the right to read, "buffer.gone" where there is no such file. */
  constructor(path: string) {
    this.path = path;
    this.#release = existsSync(`${path}-shm`) ? holdSnapshot(path) : () => undefined;
    try {
      this.#version = versionOf(path);
      this.#main = openSync(path, "r");
    } catch (cause) {
      this.#release();
      throw sqliteError(cause, `cannot read ${path}`);
    }
    this.#size = fstatSync(this.#main).size;
    const header = this.#read(0, 100);
    const problems: string[] = [];
    this.#wal = readWalFrames(`${path}-wal`, (problem) => problems.push(problem));
    const said = header.length < 100 ? 0 : header.readUInt16BE(16);
    const isPageSize = said >= 512 && (said & (said - 1)) === 0;
    this.isLogBroken = problems.length > 0;
    this.pageBytes = this.#wal?.pageBytes ?? (isPageSize ? said : PAGE_BYTES);
    // The newest header counts; a file that was never folded together has it in the log alone.
    const first = this.page(1) ?? header;
    problems.push(...headerProblems(first));
    if (first.length >= 100 && first.readUInt16BE(16) !== this.pageBytes)
      problems.push(`the header's page size is ${first.readUInt16BE(16)}`);
    const filePages = Math.floor(this.#size / this.pageBytes);
    const headerPages = first.length < 100 ? 0 : first.readUInt32BE(28);
    this.pageCount = this.#wal?.pageCount ?? filePages;
    this.pageCountMax = Math.max(this.pageCount, filePages + (this.#wal?.frames ?? 0));
    if (this.#wal?.pageCount === undefined && headerPages * this.pageBytes !== this.#size)
      problems.push(
        `the header says ${headerPages} pages of ${this.pageBytes}, the file has ${this.#size} bytes`,
      );
    this.problems = problems;
  }

  /** A page as the newest commit left it; undefined where the file ends before it. Valid until the next call. */
  page(number: number): Buffer | undefined {
    const logged = this.#wal?.newest(number);
    if (logged !== undefined) return logged;
    if (number < 1) return undefined; // Where a chain ends.
    const bytes = this.#read((number - 1) * this.pageBytes, this.pageBytes);
    return bytes.length === this.pageBytes ? bytes : undefined;
  }

  /** A page as it was written last, whether that was committed or not: for what can be proved by itself. */
  anyPage(number: number): Buffer | undefined {
    return this.#wal?.last(number) ?? this.page(number);
  }

  /**
   * Every page that is there in any state, the overwritten and the uncommitted ones too: for what can be proved by itself.
   * Those of the log have no number here.
   */
  *versions(): Generator<{ readonly number: number | undefined; readonly bytes: Buffer }> {
    for (let at = 0; at + 8 < this.#size; at += this.pageBytes)
      yield { number: at / this.pageBytes + 1, bytes: this.#read(at, this.pageBytes) };
    for (const bytes of this.#wal?.all() ?? []) yield { number: undefined, bytes };
  }

  /** Whether somebody wrote to the file since it was opened. */
  isChanged(): boolean {
    return versionOf(this.path) !== this.#version;
  }

  close(): void {
    closeSync(this.#main);
    this.#wal?.close();
    this.#release();
  }

  #read(at: number, length: number): Buffer {
    const window = this.#window;
    if (window !== undefined && at >= window.at && at + length <= window.at + window.bytes.length)
      return window.bytes.subarray(at - window.at, at - window.at + length);
    const bytes = Buffer.alloc(Math.max(0, Math.min(Math.max(length, WINDOW_BYTES), this.#size - at)));
    let read = 0;
    try {
      while (read < bytes.length) {
        const count = readSync(this.#main, bytes, read, bytes.length - read, at + read);
        if (count === 0) break;
        read += count;
      }
    } catch (cause) {
      // A sector that cannot be read costs its page: the others are asked for one by one.
      if (length < bytes.length) return this.#readAlone(at, length);
      if (sqliteError(cause, "").code === "buffer.unwritable")
        throw sqliteError(cause, `cannot read ${this.path}`);
      return Buffer.alloc(length);
    }
    this.#window = { at, bytes: bytes.subarray(0, read) };
    return bytes.subarray(0, Math.min(length, read));
  }

  #readAlone(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    try {
      return bytes.subarray(0, readSync(this.#main, bytes, 0, length, at));
    } catch {
      return bytes; // Zeros: no page of ours, so its loss is reported where it was wanted.
    }
  }
}

function headerProblems(page: Buffer): string[] {
  if (page.length < 100) return ["it is too short for a header"];
  if (page.toString("latin1", 0, MAGIC.length) !== MAGIC) return ["it does not begin as a SQLite file"];
  return FIXED.filter(({ at, values }) => !values.includes(page[at] ?? -1)).map(
    ({ at, name }) => `the header's ${name} is ${page[at]}`,
  );
}

/** Changes with every write to a file or its log. */
function versionOf(path: string): string {
  const of = (name: string): string => {
    const found = statSync(name, { throwIfNoEntry: false });
    return found === undefined ? "none" : `${found.ino} ${found.size} ${found.mtimeMs}`;
  };
  return `${of(path)} ${of(`${path}-wal`)}`;
}
