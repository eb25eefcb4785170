// Goal: a large file opens in a moment, and no damage in it is taken for what was stored all the same.
// Method: a state of more than is read through, with pages zeroed or cut short one at a time: it is refused at the
// opening, or when the damaged body is read, or every batch is as it was.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Bodies } from "../../../edge/buffer/body.ts";
import { openChecked } from "../../../edge/buffer/checked-file.ts";
import { Outbox } from "../../../edge/buffer/outbox.ts";
import { StateStore } from "../../../edge/buffer/state-store.ts";
import { refusingLog } from "./fixtures.ts";

const BATCHES = 80;
const BODY_BYTES = 1_000_000;
const PAGE_BYTES = 4_096;
/** The first byte of a leaf of a table's tree, and where it has the number of its cells (sqlite.org/fileformat2.html, §1.6). */
const TABLE_LEAF = 13;
const CELLS_AT = 3;

let dir = "";
let path = "";

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "sluice-checked-"));
  path = join(dir, "state.db");
  const state = StateStore.open({ dir, clock: new SimulatedClock(0), log: refusingLog() });
  for (let i = 0; i < BATCHES; i++) {
    const rows = { stream: "readings", from: i, to: i, rows: 1, chunk: Buffer.alloc(100, i) } as const;
    state.commitStep({ throughOffset: i, appended: [rows], counters: { readings: 1 } });
    const batch = { stream: "readings", from: i, to: i, rows: 1, key: `k/${i}`, sha256: "0" } as const;
    state.seal({ ...batch, body: Buffer.alloc(BODY_BYTES, i) }, state.readPending("readings", 9).ids);
  }
  state.close();
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What a start and the deliveries after it make of the file as it is now. */
function outcome(): "refused at the opening" | "refused when read" | "as it was" | "wrong" {
  let where: "opening" | "reading" = "opening";
  try {
    const file = openChecked(path);
    try {
      where = "reading";
      const batches = new Outbox(file, new Bodies()).read("readings", 2 * BATCHES);
      const isRight = batches.every(
        ({ from, to, rows, key, body }, i) =>
          [from, to, rows, key].join() === [i, i, 1, `k/${i}`].join() && body.every((byte) => byte === i),
      );
      return batches.length === BATCHES && isRight ? "as it was" : "wrong";
    } finally {
      file.close();
    }
  } catch (error) {
    const isSaid =
      error instanceof PipelineError ? error.code === "buffer.damaged" : /SQLITE_CORRUPT/.test(codeOf(error));
    if (!isSaid) throw error;
    return where === "opening" ? "refused at the opening" : "refused when read";
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";

/** Changes a page for as long as the work takes. */
function withPage<T>(page: number, change: (bytes: Buffer) => void, work: () => T): T {
  const handle = openSync(path, "r+");
  const before = Buffer.alloc(PAGE_BYTES);
  readSync(handle, before, 0, PAGE_BYTES, page * PAGE_BYTES);
  const after = Buffer.from(before);
  change(after);
  try {
    writeSync(handle, after, 0, PAGE_BYTES, page * PAGE_BYTES);
    return work();
  } finally {
    writeSync(handle, before, 0, PAGE_BYTES, page * PAGE_BYTES);
    closeSync(handle);
  }
}

/** The leaves of tables: a page of a body may look like one, so only those with few cells and no fragments count. */
function leaves(): readonly number[] {
  const handle = openSync(path, "r");
  const head = Buffer.alloc(8);
  const found: number[] = [];
  for (let page = 1; page < statSync(path).size / PAGE_BYTES; page++) {
    readSync(handle, head, 0, head.length, page * PAGE_BYTES);
    const cells = head.readUInt16BE(CELLS_AT);
    if (head[0] === TABLE_LEAF && head.readUInt16BE(1) === 0 && cells > 0 && cells < 100) found.push(page);
  }
  closeSync(handle);
  return found;
}

test("a large file that is whole is taken as it is", () => {
  expect(statSync(path).size).toBeGreaterThan(70_000_000);
  expect(outcome()).toBe("as it was");
});

test("rows that a damaged page hides are missed at the opening of a large file", () => {
  const pages = leaves();
  expect(pages.length).toBeGreaterThan(5);
  for (const page of pages) {
    const hidden = withPage(
      page,
      (bytes) => bytes.writeUInt16BE(bytes.readUInt16BE(CELLS_AT) - 1, CELLS_AT),
      outcome,
    );
    expect(hidden, `page ${page}`).toBe("refused at the opening");
    expect(
      withPage(page, (bytes) => bytes.fill(0), outcome),
      `page ${page}`,
    ).toBe("refused at the opening");
  }
});

test("whatever page of a large file is damaged, nothing of it is taken for what was stored", () => {
  const random = seededRandom(20_261_121);
  const pages = statSync(path).size / PAGE_BYTES;
  for (let i = 0; i < 30; i++) {
    const page = random.int(pages);
    expect(
      withPage(page, (bytes) => bytes.fill(0xa5, random.int(PAGE_BYTES)), outcome),
      `page ${page}`,
    ).not.toBe("wrong");
  }
});
