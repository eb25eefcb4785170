// Goal: show that nothing acknowledged is lost or counted twice when the process is killed at any moment.
// Method: a real process stores numbered messages, derives rows, seals and delivers batches; SIGKILL hits it at an
// instant that the seed and the machine's own jitter choose; the next process plays the publisher's redelivery of what
// was not acknowledged and goes on. Then every number must be in exactly one place.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { expect, test } from "vitest";
import { acknowledgedCount, everyNumber, irregularities, runProgram, tempFolder } from "./buffer-process.ts";

const SEED = 20_270_109;
const ROUNDS = 6;

test("after SIGKILL at any moment every acknowledged message is there once", async () => {
  const root = tempFolder();
  const [dir, lake] = [join(root, "buffer"), join(root, "lake")];
  mkdirSync(lake);
  const random = seededRandom(SEED);
  let acknowledged = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const lines = await runProgram({
      task: "buffer",
      dir,
      lake,
      seed: SEED + round,
      firstNumber: acknowledged,
      killAfterLines: 1 + random.int(300),
    });
    acknowledged = Math.max(acknowledged, acknowledgedCount(lines));
    const numbers = everyNumber(dir, lake);
    expect(irregularities(numbers), `round ${round} of seed ${SEED}`).toEqual([]);
    expect(numbers.length).toBeGreaterThanOrEqual(acknowledged);
    expect(lines.filter((line) => !line.startsWith("acknowledged "))).toEqual([]);
  }
  expect(acknowledged).toBeGreaterThan(ROUNDS * 150);
});
