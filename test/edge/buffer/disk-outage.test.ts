import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { expect, test } from "vitest";
import { diskFailure, probeDisk } from "../../../edge/buffer/disk-failure.ts";
import { DiskOutage } from "../../../edge/buffer/disk-outage.ts";
import { lockBuffer } from "../../../edge/buffer/lock.ts";
import { tempFolder } from "./fixtures.ts";

const FAILED = new PipelineError("buffer.disk_failing", "it answers with an I/O error");

/** A buffer's folder that can be taken away and brought back, as by a disk that is pulled out. */
function openSite() {
  const root = tempFolder();
  const dir = join(root, "buffer");
  lockBuffer(dir)();
  const clock = new SimulatedClock(0);
  const said: string[] = [];
  const outage = new DiskOutage({
    dir,
    clock,
    began: () => said.push("began"),
    ended: () => said.push("ended"),
  });
  /** Lets time pass, and what reads and writes the disk meanwhile come to its end. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      await clock.advance(50);
      await probeDisk(root);
    }
  };
  /** How much time passes until it resolves; at least, because the disk itself takes some too. */
  const waitMs = async (waiting: Promise<boolean>): Promise<number> => {
    const fromUs = clock.nowUs();
    const over = waiting.then(() => true);
    while (!(await Promise.race([over, pass(50).then(() => false)])));
    return (clock.nowUs() - fromUs) / 1_000;
  };
  return {
    dir,
    outage,
    said,
    pass,
    waitMs,
    take: () => renameSync(dir, `${dir}-away`),
    bring: () => renameSync(`${dir}-away`, dir),
  };
}

test("a disk that takes what is written is told from one that does not, and nothing is left on it", async () => {
  const { dir, take } = openSite();
  expect(await probeDisk(dir)).toBeUndefined();
  expect(existsSync(join(dir, "probe"))).toBe(false);
  mkdirSync(join(dir, "probe"));
  expect(await probeDisk(dir)).toBeInstanceOf(PipelineError);
  rmSync(join(dir, "probe"), { recursive: true });
  take();
  expect(await probeDisk(dir)).toMatchObject({ code: "buffer.disk_failing" });
  mkdirSync(dir); // What is left of a place where a disk was mounted: no buffer may begin in it.
  expect(await probeDisk(dir)).toMatchObject({ code: "buffer.disk_failing" });
});

test("a failure of the disk is told from damage, from a full disk and from what is ours", () => {
  const isFailure = (code: string): boolean =>
    diskFailure(Object.assign(new Error(code), { code })) !== undefined;
  const failures = [
    "EIO",
    "EROFS",
    "SQLITE_IOERR_FSYNC",
    "SQLITE_IOERR_WRITE",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
  ];
  expect(failures.filter(isFailure)).toEqual(failures);
  const others = ["ENOSPC", "SQLITE_FULL", "SQLITE_CORRUPT", "SQLITE_IOERR_SHORT_READ", "SQLITE_MISUSE"];
  expect(others.filter(isFailure)).toEqual([]);
  expect(diskFailure(new Error("broken promise"))).toBeUndefined();
});

test("an outage is waited for as long as it takes, and said once at its begin and once at its end", async () => {
  const { outage, said, pass, waitMs, take, bring } = openSite();
  take();
  const waiting = outage.wait(FAILED);
  await pass(60_000);
  expect(said).toEqual(["began"]);
  expect(outage.reason).toMatch(/not there/);
  bring();
  await waitMs(waiting);
  expect(await waiting).toBe(true);
  expect(said).toEqual(["began"]);
  outage.opened();
  expect(outage.reason).toBeUndefined();
  await pass(6_000);
  expect(said).toEqual(["began", "ended"]);
});

test("a disk that fails again as soon as it was opened is one outage, and is tried less and less often", async () => {
  const { outage, said, waitMs } = openSite();
  for (const leastMs of [250, 500, 1_000, 2_000, 4_000]) {
    expect(await waitMs(outage.wait(FAILED))).toBeGreaterThanOrEqual(leastMs);
    outage.opened();
  }
  expect(said).toEqual(["began"]);
});

test("a wait ends when it is halted, and then nothing is to be opened", async () => {
  const { dir, outage, take } = openSite();
  take();
  writeFileSync(dir, "");
  const waiting = outage.wait(FAILED);
  outage.halt();
  expect(await waiting).toBe(false);
});
