import { type GroupRow, groupChecksum } from "../segment.ts";
import { carve } from "./carve.ts";
import { expectedSchema } from "./schemas.ts";
import { SqliteImage } from "./sqlite-image.ts";
import type { SqlValue } from "./sqlite-record.ts";
import { SqliteTrees } from "./sqlite-tree.ts";

/** How many problems of one file are named; the rest is counted. */
const PROBLEMS_MAX = 20;

/** How often a file is read again that somebody writes to, before what was seen is taken as it is. */
const ATTEMPTS_MAX = 5;

/** What is wrong with a file: the first problems in words, and how many there are. */
export class Problems {
  readonly named: string[] = [];
  count = 0;

  readonly report = (problem: string): void => {
    this.count++;
    if (this.named.length < PROBLEMS_MAX && !this.named.includes(problem)) this.named.push(problem);
  };
}

/**
 * Reads a segment's groups without SQLite and without writing; `visit` gets each group once whose checksum is right.
 *
 * Where anything about the file is not as it should be, the groups that its tree does not lead to are looked for page by
 * page, in the write-ahead log too: a group is proved by its checksum, wherever it lies. A file that a gateway writes to
 * in the meantime is read again.
 */
export function readSegment(path: string, visit: (row: GroupRow) => void): Problems {
  const seen = new Set<number>();
  for (let attempt = 1; ; attempt++) {
    const image = new SqliteImage(path);
    try {
      const problems = readOnce(image, (row) => {
        if (seen.has(row.first)) return;
        seen.add(row.first);
        visit(row);
      });
      if (problems.count === 0 || attempt === ATTEMPTS_MAX || !image.isChanged()) return problems;
    } finally {
      image.close();
    }
  }
}

function readOnce(image: SqliteImage, visit: (row: GroupRow) => void): Problems {
  const problems = new Problems();
  const { report } = problems;
  for (const problem of image.problems) report(problem);
  const trees = new SqliteTrees(image, report);
  const proved = new Set<number>();
  const root = trees.roots(expectedSchema(image.path)).get("message_group");
  if (root === undefined) report("it has no table of groups");
  else
    for (const { rowid, values, overflow } of trees.rows(root)) {
      const row = toGroupRow(rowid, values);
      if (row === undefined) report(`the group at offset ${rowid} is damaged`);
      else {
        visit(row);
        for (const number of overflow) proved.add(number);
      }
    }
  trees.checkPages();
  if (problems.count === 0) return problems;
  for (const { rowid, values } of carve(image, { isHeader: isGroupHeader, proved })) {
    const row = toGroupRow(rowid, values);
    if (row !== undefined) visit(row);
  }
  return problems;
}

/** The row of a group that is as it was stored; undefined where its checksum says otherwise. */
function toGroupRow(rowid: number | undefined, values: readonly SqlValue[]): GroupRow | undefined {
  const [, count, checksum, bootId, monotonicUs, wallUs, body] = values;
  if (rowid === undefined || typeof count !== "number" || count < 1 || typeof bootId !== "string")
    return undefined;
  if (typeof monotonicUs !== "number" || typeof wallUs !== "number" || !(body instanceof Uint8Array))
    return undefined;
  const row = { first: rowid, count, boot_id: bootId, monotonic_us: monotonicUs, wall_us: wallUs, body };
  return groupChecksum(row) === checksum ? { ...row, checksum } : undefined;
}

const isNumber = (type: number | undefined): boolean => type !== undefined && type >= 1 && type <= 9;

function isGroupHeader(types: readonly number[]): boolean {
  const [first, count, checksum, bootId = 0, monotonicUs, wallUs, body = 0, ...more] = types;
  const isBlob = body >= 12 && body % 2 === 0;
  const isText = bootId >= 13 && bootId % 2 === 1;
  return (
    first === 0 &&
    isText &&
    isBlob &&
    more.length === 0 &&
    [count, checksum, monotonicUs, wallUs].every(isNumber)
  );
}
