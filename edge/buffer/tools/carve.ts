import type { SqliteImage } from "./sqlite-image.ts";
import { readRecord, readRecordHeader, readVarint, type SqlValue } from "./sqlite-record.ts";
import { localBytes, readPayload } from "./sqlite-tree.ts";

/** A record that was found in a page; whether it is true is for its checksum to say. */
export interface Carved {
  readonly rowid: number;
  readonly values: readonly SqlValue[];
}

/** The longest header of a record that is looked for. */
const HEADER_BYTES_MAX = 64;

export interface CarveOptions {
  /** Whether a record's serial types are those of the table. */
  readonly isHeader: (types: readonly number[]) => boolean;
  /**
   * Overflow pages of rows that are known to be true. In a file of which no row is ever removed, nothing else is in them:
   * a message whose content looks like rows is not searched for any, and no chain goes through it.
   */
  readonly proved: ReadonlySet<number>;
}

/**
 * Everything in the file that looks like a row, wherever it lies: also where the tree, the page's own table of cells, or
 * the number before the record is broken, and in pages that a newer version replaced.
 *
 * Where the chain of overflow pages is broken, the pages that follow one another in the file are tried: a file that only
 * grows has them in this order.
 */
export function* carve(image: SqliteImage, { isHeader, proved }: CarveOptions): Generator<Carved> {
  const next = (number: number): Buffer | undefined =>
    proved.has(number) ? undefined : image.anyPage(number);
  for (const { number, bytes: page } of image.versions()) {
    if (number !== undefined && proved.has(number)) continue;
    for (let at = 2; at < page.length - 2; at++) {
      const first = page[at] ?? 0;
      // The row's own number is kept as NULL in the record: a type of 0 behind the header's length.
      if (first < 2 || first > HEADER_BYTES_MAX || page[at + 1] !== 0) continue;
      const header = readRecordHeader(page, at);
      if (header === undefined || !isHeader(header.types)) continue;
      // The page may be in a buffer that is used again for its overflow pages.
      const kept = Buffer.from(page);
      const cell = { page: kept, at, bytes: header.totalBytes, isTable: true, next };
      for (const payload of payloads(image, cell)) {
        const values = readRecord(payload);
        if (values === undefined) continue;
        for (let start = Math.max(0, at - 9); start < at; start++) {
          const rowid = readVarint(kept, start);
          if (rowid?.end === at) yield { rowid: rowid.value, values };
        }
      }
    }
  }
}

type Cell = Parameters<typeof readPayload>[1];

function* payloads(image: SqliteImage, cell: Cell): Generator<Buffer> {
  const { page, at, bytes, next } = cell;
  // A chain that goes round in a circle ends with the payload's length.
  const chained = readPayload(image, cell);
  if (chained !== undefined) yield chained;
  const local = localBytes(bytes, image.pageBytes, true);
  if (local === bytes || at + local + 4 > page.length) return;
  // The chain's last page may name another, and any page on the way a wrong one: in order, and without looking at it.
  let number = page.readUInt32BE(at + local);
  const last = number + Math.ceil((bytes - local) / (image.pageBytes - 4)) - 1;
  const ordered = readPayload(image, {
    ...cell,
    next: () => {
      const found = next(number);
      if (found === undefined) return undefined;
      const copy = Buffer.from(found);
      copy.writeUInt32BE(number === last ? 0 : number + 1, 0);
      number++;
      return copy;
    },
  });
  if (ordered !== undefined) yield ordered;
}
