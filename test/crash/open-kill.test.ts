// Goal: a gateway that dies while it opens a damaged buffer leaves nothing behind that stops or misleads the next one.
// Method: a real process opens a copy of a damaged buffer and is killed (faulty-machine.c) at the first rename, the
// second, and so on, until it lives through; the next start must find exactly what a start finds that nothing has
// disturbed.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assert, present } from "@sluice/shared/runtime/assert.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { expect, test } from "vitest";
import { bufferSettingsSchema } from "../../edge/buffer/settings.ts";
import { PipelineBuffer } from "../../edge/pipeline-buffer.ts";
import { contents, tempFolder } from "../edge/buffer/fixtures.ts";
import { makeBuffer } from "../edge/buffer/tools/fixtures.ts";
import { Machine, type Operation } from "./machine.ts";

const PROGRAM = new URL("./open-program.ts", import.meta.url).pathname;
const OPERATIONS: readonly Operation[] = ["rename", "renamed"];
/** More operations than an opening has. */
const POINTS_MAX = 60;
const PAGE_BYTES = 4_096;

const segments = (dir: string): readonly string[] =>
  readdirSync(join(dir, "segments"))
    .filter((name) => name.endsWith(".db"))
    .toSorted()
    .map((name) => join(dir, "segments", name));

function zeroPage(path: string, page: number): void {
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0, page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
}

const newest = (dir: string): string => present(segments(dir).at(-1), "there are segments");
const oldest = (dir: string): string => present(segments(dir)[0], "there are segments");

/** What the next start finds, whoever has been there before. */
function found(dir: string) {
  const settings = bufferSettingsSchema.parse({ dir });
  const clock = new SimulatedClock(1_800_000_000_000_000);
  const buffer = new PipelineBuffer({ settings, bootId: "after", clock, log: silentLog });
  const { messages, state } = buffer;
  const { nextOffset, damages } = messages.stats();
  const facts = {
    contents: contents(messages),
    nextOffset,
    lost: damages.map(({ fromOffset, endOffset }) => `${fromOffset} to ${endOffset}`).toSorted(),
    decodedThrough: state.decodedThrough,
    rows: state.pending("readings").rows,
    batches: state.outbox().batches,
  };
  buffer.close();
  const names = readdirSync(dir, { recursive: true }).map(String);
  const aside = names.filter((name) => name.includes(".damaged") && !name.endsWith("-shm")).toSorted();
  return { ...facts, aside, drafts: names.filter((name) => name.includes(".mended")) };
}

test.each([
  { what: "the head of the newest segment", damage: (dir: string) => zeroPage(newest(dir), 0) },
  {
    what: "the end of the oldest segment",
    damage: (dir: string) => truncateSync(oldest(dir), 5 * PAGE_BYTES),
  },
  { what: "the head of the state", damage: (dir: string) => zeroPage(join(dir, "state.db"), 0) },
  { what: "the head of the marks", damage: (dir: string) => zeroPage(join(dir, "marks.db"), 0) },
])(
  "$what is damaged, and the gateway is killed at each step of opening it",
  { timeout: 120_000 },
  ({ damage }) => {
    const root = tempFolder();
    const machine = Machine.make(root);
    if (machine === undefined)
      return console.warn("NO C COMPILER: kills in opening a buffer were not tested");
    const damaged = makeBuffer({ crashed: true });
    damage(damaged);
    const undisturbed = join(root, "undisturbed");
    cpSync(damaged, undisturbed, { recursive: true });
    const expected = found(undisturbed);
    const dir = join(machine.disk, "buffer");
    for (const operation of OPERATIONS)
      for (let n = 1; ; n++) {
        assert(n <= POINTS_MAX, "an opening ends");
        rmSync(dir, { recursive: true, force: true });
        mkdirSync(machine.disk, { recursive: true });
        cpSync(damaged, dir, { recursive: true });
        const env = { ...process.env, ...machine.env({ kill: { operation, n, pattern: "*.db*" } }) };
        const { signal, status, stderr } = spawnSync(process.execPath, [PROGRAM, dir], { env });
        if (signal === null) {
          assert(status === 0, `a start goes on after damage: ${stderr.toString()}`);
          break;
        }
        expect(found(dir), `killed at ${operation} ${n}`).toEqual(expected);
      }
  },
);
