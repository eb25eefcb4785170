import { existsSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bufferCommand } from "../../../../edge/buffer/command.ts";
import { readSegment } from "../../../../edge/buffer/tools/segment-rows.ts";
import { tempFolder } from "../fixtures.ts";
import { flip, GROUP_MESSAGES, makeBuffer } from "./fixtures.ts";

/** What `sluice-gateway buffer export` did with a buffer; a refusal's code and words are its own. */
async function exported(dir: string, ...args: readonly string[]) {
  const asked = { written: "", printed: "", told: "", failed: false, refused: "" };
  const command = bufferCommand({
    print: (text) => (asked.printed += text),
    write: (bytes) => (asked.written += Buffer.from(bytes).toString()),
    tell: (text) => (asked.told += text),
    fail: () => (asked.failed = true),
    readSettings: () => ({ dir }),
  });
  try {
    await command.parseAsync(["export", "--dir", dir, ...args], { from: "user" });
  } catch (error) {
    asked.refused = String(error);
  }
  return asked;
}

const segmentsOf = (dir: string): readonly string[] =>
  readdirSync(join(dir, "segments"))
    .filter((name) => /^segment-\d+\.db$/.test(name))
    .sort();

const offsetsOf = (ndjson: string): readonly number[] =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is no such line fails the test
  ndjson
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { offset: number }).offset);

const numbers = (from: number, end: number): readonly number[] =>
  Array.from({ length: end - from }, (_, i) => from + i);

test("messages come once each and in order, from all segments or those that are named", async () => {
  const dir = makeBuffer();
  const all = await exported(dir);
  expect(offsetsOf(all.written)).toEqual(numbers(0, 400));
  expect(all).toMatchObject({ failed: false, told: "", refused: "" });
  const [, second = ""] = segmentsOf(dir);
  expect(offsetsOf((await exported(dir, second)).written)).toEqual(numbers(140, 280));
});

test("readings come once each and in order: those of batches, then those that wait", async () => {
  const { written, failed } = await exported(makeBuffer(), "--readings", "--from", "150");
  const [head, ...lines] = written.trimEnd().split("\n");
  expect(head).toMatch(/^offset,index,device,/);
  expect(lines.map((line) => Number(line.split(",")[0]))).toEqual(numbers(150, 300));
  expect(failed).toBe(false);
});

test.each([
  ["messages", [], "segments/segment-0000000000000000.db"],
  ["readings", ["--readings"], "state.db"],
])("what is missing among %s is said, and is exit code 1", async (_, args, file) => {
  const dir = makeBuffer();
  const path = join(dir, file);
  // A body of a message in the one; of a chunk of readings in the other, whose names are plain.
  const at = file === "state.db" ? readFileSync(path).indexOf("pump-1", 4_096) : 3 * 4_096 + 100;
  flip(path, at);
  const out = join(tempFolder(), "out");
  const asked = await exported(dir, ...args, "--out", out, "--json");
  expect(asked).toMatchObject({ failed: true, told: expect.stringContaining(path) });
  expect(JSON.parse(asked.printed)).toMatchObject({ problems: [expect.stringContaining(path)] });
  expect(existsSync(out)).toBe(true);
});

test.each([
  [["nonsense"], /holds no segment nonsense/],
  [[".db"], /holds no segment \.db/],
  [["segment-0000000000000000.db", "nonsense"], /holds no segment nonsense/],
  [["--from", "10", "--through", "9"], /--through 9 is before --from 10/],
  [["--from", "-1"], /--from -1/],
  [["--format", "arrow"], /--format arrow without --readings/],
  [["--readings", "--format", "xml"], /--format xml/],
  [["--readings", "segment-0000000000000000.db"], /--readings from segment/],
])("what nobody can mean is refused before anything is written: %s", async (args, words) => {
  const out = join(tempFolder(), "out");
  const asked = await exported(makeBuffer(), ...args, "--out", out);
  expect(asked).toMatchObject({ refused: expect.stringMatching(words), written: "", printed: "" });
  expect(existsSync(out)).toBe(false);
});

test("a damaged segment that is written to meanwhile is read again, and gives each group once", () => {
  const dir = makeBuffer();
  const path = join(dir, "segments", segmentsOf(dir)[0] ?? "");
  flip(path, 3 * 4_096 + 100);
  const seen: number[] = [];
  readSegment(path, ({ first }) => {
    seen.push(first);
    utimesSync(path, 1_000_000 + seen.length, 1_000_000 + seen.length);
  });
  expect(seen.length).toBe(140 / GROUP_MESSAGES - 1);
  expect(new Set(seen).size).toBe(seen.length);
});
