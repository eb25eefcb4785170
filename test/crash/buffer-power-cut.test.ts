// Goal: show that nothing acknowledged is lost when the power fails at any moment, also after a restart.
// Method: a real process stores numbered messages, derives rows, seals and delivers batches on a disk that forgets what
// was not synced (faulty-machine.c); SIGKILL hits it at an instant that the seed and the machine's own jitter choose;
// the next one opens what the disk kept, plays the publisher's redelivery of what was not acknowledged, and goes on.
// Then every number must be in exactly one place. That an unsynced write is noticed is shown by the controls in crash.test.ts.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { expect, test, type TestContext } from "vitest";
import {
  acknowledgedCount,
  everyNumber,
  irregularities,
  type Run,
  runProgram,
  tempFolder,
} from "./buffer-process.ts";
import { Machine } from "./machine.ts";

const SEED = 20_270_110;
const ROUNDS = 3;

/** A machine whose power can be cut; skips the test, and says so, where there is no C compiler. */
function openMachine(context: TestContext) {
  const root = tempFolder();
  const lake = join(root, "lake");
  mkdirSync(lake);
  const machine = Machine.make(root);
  if (machine === undefined)
    return context.skip("NO C COMPILER: what a power cut leaves was not tested; install cc to test it");
  return {
    dir: join(machine.disk, "buffer"),
    lake,
    /** Runs the program; then the power fails, and the disk holds what it had synced. */
    runToPowerCut: async (run: Pick<Run, "task" | "seed" | "firstNumber" | "killAfterLines">) => {
      const lines = await runProgram({
        ...run,
        dir: join(machine.disk, "buffer"),
        lake,
        env: machine.env({ powerCut: true }),
      });
      machine.cutPower();
      return lines;
    },
  };
}

test("after a power cut at any moment every acknowledged message is there once", async (context) => {
  const machine = openMachine(context);
  const random = seededRandom(SEED);
  let acknowledged = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const lines = await machine.runToPowerCut({
      task: "buffer",
      seed: SEED + round,
      firstNumber: acknowledged,
      killAfterLines: 1 + random.int(200),
    });
    acknowledged = Math.max(acknowledged, acknowledgedCount(lines));
    const numbers = everyNumber(machine.dir, machine.lake);
    expect(irregularities(numbers), `round ${round} of seed ${SEED}`).toEqual([]);
    expect(numbers.length).toBeGreaterThanOrEqual(acknowledged);
    expect(lines.filter((line) => !line.startsWith("acknowledged "))).toEqual([]);
  }
  expect(acknowledged).toBeGreaterThan(ROUNDS * 150);
});

test("on a full disk messages are refused, not acknowledged; with room again everything goes on", async (context) => {
  const machine = openMachine(context);
  const lines = await machine.runToPowerCut({
    task: "full-disk",
    seed: SEED,
    firstNumber: 0,
    killAfterLines: undefined,
  });
  const round = [
    "append buffer.disk_full",
    "resend buffer.disk_full",
    "step buffer.disk_full",
    "append done",
    "step done",
  ];
  expect(lines.slice(0, -1)).toEqual([...round, ...round, ...round]);
  const numbers = everyNumber(machine.dir, machine.lake);
  expect(irregularities(numbers)).toEqual([]);
  expect(numbers).toHaveLength(acknowledgedCount(lines));
});
