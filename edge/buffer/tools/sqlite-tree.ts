import type { SqliteImage } from "./sqlite-image.ts";
import { readRecord, readVarint, type SqlValue } from "./sqlite-record.ts";

/** One row; `rowid` is undefined in indexes and tables without one. */
export interface TreeRow {
  readonly rowid: number | undefined;
  readonly values: readonly SqlValue[];
  /** The pages behind its own that it goes on in. */
  readonly overflow: readonly number[];
}

type Report = (problem: string) => void;

const TABLE_INTERIOR = 0x05;
const TABLE_LEAF = 0x0d;
const INDEX_INTERIOR = 0x02;
const INDEX_LEAF = 0x0a;

/** Depth at which a tree of ours has ended: 2^32 pages of at least two children. */
const DEPTH_MAX = 32;

/** How many bytes of a payload lie in its own page (sqlite.org/fileformat2.html, §1.6). */
export function localBytes(payloadBytes: number, pageBytes: number, isTable: boolean): number {
  const most = isTable ? pageBytes - 35 : Math.floor(((pageBytes - 12) * 64) / 255) - 23;
  if (payloadBytes <= most) return payloadBytes;
  const least = Math.floor(((pageBytes - 12) * 32) / 255) - 23;
  const wanted = least + ((payloadBytes - least) % (pageBytes - 4));
  return wanted <= most ? wanted : least;
}

/** The trees of a SQLite file; what is broken is reported and passed over, and no page is read twice. */
export class SqliteTrees {
  readonly #image: SqliteImage;
  readonly #report: Report;
  readonly #seen = new Set<number>();

  constructor(image: SqliteImage, report: Report) {
    this.#image = image;
    this.#report = report;
  }

  /**
   * Where each table and index begins, by name; empty where the schema cannot be read. `expected` is how our tables and
   * indexes are made: SQLite reads a file by what it says there, so that a letter there is content too.
   */
  roots(expected: ReadonlyMap<string, string>): ReadonlyMap<string, number> {
    const roots = new Map<string, number>();
    for (const { values } of this.rows(1)) {
      const [type, name, table, root, sql] = values;
      if (typeof name !== "string" || typeof root !== "number") {
        this.#report("a row of the schema cannot be read");
        continue;
      }
      roots.set(name, root);
      if (expected.get(name) !== madeAs(type, table, sql)) this.#report(`${name} is not made as we make it`);
    }
    for (const name of expected.keys()) if (!roots.has(name)) this.#report(`${name} is not there`);
    return roots;
  }

  /** The rows of a table or an index, in order. */
  *rows(root: number): Generator<TreeRow> {
    let last = -Infinity;
    for (const row of this.#walk(root, 0)) {
      if (row.rowid !== undefined) {
        if (row.rowid <= last) this.#report(`row ${row.rowid} comes after row ${last}`);
        last = row.rowid;
      }
      yield row;
    }
  }

  /** Walks over the free pages; every page must by now have been seen once. */
  checkPages(): void {
    const first = this.#image.page(1);
    if (first === undefined) return;
    const stated = first.readUInt32BE(36);
    let free = 0;
    for (let trunk = first.readUInt32BE(32); trunk !== 0;) {
      const bytes = this.#take(trunk, "the list of free pages");
      if (bytes === undefined) break;
      const leaves = bytes.readUInt32BE(4);
      if (leaves > this.#image.pageBytes / 4 - 2) {
        this.#report(`page ${trunk} of the list of free pages says ${leaves} pages`);
        break;
      }
      free += 1 + leaves;
      const numbers = Array.from({ length: leaves }, (_, i) => bytes.readUInt32BE(8 + i * 4));
      trunk = bytes.readUInt32BE(0);
      for (const number of numbers) this.#take(number, "the list of free pages");
    }
    this.#takePointerMaps(first);
    if (free !== stated) this.#report(`the header says ${stated} free pages, there are ${free}`);
    if (this.#seen.size < this.#image.pageCount)
      this.#report(`${this.#image.pageCount - this.#seen.size} pages belong to nothing`);
  }

  /** The pages with which a file that can shrink remembers who refers to whom (sqlite.org/fileformat2.html, §1.8). */
  #takePointerMaps(first: Buffer): void {
    if (first.readUInt32BE(52) === 0) return;
    const apart = Math.floor(this.#image.pageBytes / 5) + 1;
    for (let number = 2; number <= this.#image.pageCount; number += apart) this.#seen.add(number);
  }

  *#walk(number: number, depth: number): Generator<TreeRow> {
    const read = this.#take(number, "a tree");
    if (read === undefined) return;
    const page = Buffer.from(read); // Kept while others are read.
    const start = number === 1 ? 100 : 0;
    const type = page[start] ?? 0;
    const isInterior = type === TABLE_INTERIOR || type === INDEX_INTERIOR;
    if ((!isInterior && type !== TABLE_LEAF && type !== INDEX_LEAF) || depth > DEPTH_MAX) {
      this.#report(`page ${number} is no page of a tree`);
      return;
    }
    const cells = page.readUInt16BE(start + 3);
    const pointers = start + (isInterior ? 12 : 8);
    if (pointers + cells * 2 > page.length) {
      this.#report(`page ${number} says ${cells} cells`);
      return;
    }
    for (let i = 0; i < cells; i++) {
      const at = page.readUInt16BE(pointers + i * 2);
      if (at < pointers + cells * 2 || at + 4 > page.length) {
        this.#report(`cell ${i} of page ${number} lies outside of it`);
        continue;
      }
      if (isInterior) yield* this.#walk(page.readUInt32BE(at), depth + 1);
      if (type === TABLE_INTERIOR) continue;
      const row = this.#row(page, { at: isInterior ? at + 4 : at, isTable: type === TABLE_LEAF });
      if (row === undefined) this.#report(`cell ${i} of page ${number} cannot be read`);
      else yield row;
    }
    if (isInterior) yield* this.#walk(page.readUInt32BE(start + 8), depth + 1);
  }

  #row(page: Buffer, { at, isTable }: { at: number; isTable: boolean }): TreeRow | undefined {
    const size = readVarint(page, at);
    const rowid = size === undefined || !isTable ? undefined : readVarint(page, size.end);
    if (size === undefined || (isTable && rowid === undefined)) return undefined;
    const overflow: number[] = [];
    const payload = readPayload(this.#image, {
      page,
      at: rowid?.end ?? size.end,
      bytes: size.value,
      isTable,
      next: (number) => {
        overflow.push(number);
        return this.#take(number, "a row");
      },
    });
    const values = payload === undefined ? undefined : readRecord(payload);
    return values === undefined ? undefined : { rowid: rowid?.value, values, overflow };
  }

  /** A page that is used now; undefined, and reported, where it is not there or was used before. */
  #take(number: number, by: string): Buffer | undefined {
    if (number < 1 || number > this.#image.pageCount || this.#seen.has(number)) {
      this.#report(
        `${by} goes on at page ${number}, which is ${this.#seen.has(number) ? "used before" : "not there"}`,
      );
      return undefined;
    }
    this.#seen.add(number);
    return this.#image.page(number);
  }
}

/** What a row of the schema says, besides its name and where it begins. */
export const madeAs = (...values: readonly unknown[]): string => values.map(String).join(" ");

/** The bytes of a record from its own page and from the overflow pages behind it; undefined where they end too soon. */
export function readPayload(
  { pageBytes, pageCountMax }: Pick<SqliteImage, "pageBytes" | "pageCountMax">,
  cell: {
    readonly page: Buffer;
    readonly at: number;
    readonly bytes: number;
    readonly isTable: boolean;
    readonly next: (page: number) => Buffer | undefined;
  },
): Buffer | undefined {
  const { page, at, bytes, isTable, next } = cell;
  const local = localBytes(bytes, pageBytes, isTable);
  if (at + local + (local < bytes ? 4 : 0) > page.length || bytes > pageBytes * pageCountMax)
    return undefined;
  // In pieces, as they are found: a damaged length must not take memory that the chain does not fill.
  const pieces = [Buffer.from(page.subarray(at, at + local))];
  let overflow = local < bytes ? page.readUInt32BE(at + local) : 0;
  for (let done = local; done < bytes;) {
    const more = next(overflow);
    if (more === undefined || more.length <= 4) return undefined;
    overflow = more.readUInt32BE(0);
    const piece = Buffer.from(more.subarray(4, 4 + bytes - done));
    pieces.push(piece);
    done += piece.length;
  }
  // The last page of a chain names no other.
  return overflow === 0 || local === bytes ? Buffer.concat(pieces) : undefined;
}
