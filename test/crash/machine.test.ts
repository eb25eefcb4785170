// Goal: show that the machine forgets what it must, because a suite on a machine that forgets nothing proves nothing.
// Method: a process writes a page, syncs it, and says what came of it; then the power fails.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, type TestContext } from "vitest";
import { tempFolder } from "../edge/buffer/fixtures.ts";
import { Machine } from "./machine.ts";

/** Overwrites the page as often as there are words: with "fail" while its syncs fail, then with "again" or not at all. */
const PROGRAM = `
  const { closeSync, fsyncSync, openSync, rmSync, writeFileSync, writeSync } = require("node:fs");
  const [path, ...steps] = process.argv.slice(1);
  const file = openSync(path, "r+");
  for (const step of steps) {
    if (step === "fail") writeFileSync(process.env.MACHINE_UNSYNCED, "*");
    else if (step === "heal") rmSync(process.env.MACHINE_UNSYNCED);
    else if (step === "sync") try { fsyncSync(file); } catch (error) { process.stdout.write(error.code); }
    else writeSync(file, step.repeat(4096), 0);
  }
  closeSync(file);`;

/** What a power cut leaves in the file after these steps: its first letter, and what syncs failed with. */
function leftAfter(context: TestContext, ...steps: string[]): readonly [string, string] {
  const machine = Machine.make(tempFolder());
  if (machine === undefined)
    return context.skip("NO C COMPILER: the failing machine was not tested; install cc to test it");
  const path = join(machine.disk, "file");
  writeFileSync(path, "-".repeat(8_192));
  const env = { ...process.env, ...machine.env({ powerCut: true, losesUnsynced: true }) };
  const { stdout, stderr } = spawnSync(process.execPath, ["-e", PROGRAM, path, ...steps], { env });
  expect(stderr.toString()).toBe("");
  machine.cutPower();
  const left = readFileSync(path, "utf8");
  expect(left.slice(4_096)).toBe("-".repeat(4_096));
  return [left.slice(0, 1), stdout.toString()];
}

test("what is written and synced is there after a power cut, and what is not synced is not", (context) => {
  expect(leftAfter(context, "a", "sync")).toEqual(["a", ""]);
  expect(leftAfter(context, "a", "sync", "b")).toEqual(["a", ""]);
});

test("a page whose sync has failed is lost, though the next sync succeeds; written again, it is there", (context) => {
  expect(leftAfter(context, "a", "fail", "sync", "heal", "sync")).toEqual(["-", "EIO"]);
  expect(leftAfter(context, "a", "fail", "sync", "heal", "a", "sync")).toEqual(["a", "EIO"]);
});
