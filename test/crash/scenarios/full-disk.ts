import { statfsSync } from "node:fs";
import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { type Program, until } from "../programs.ts";
import type { Scenario } from "../scenario.ts";
import type { Trial, TrialResult } from "../trial.ts";

const SMALL_BYTES = 12 * 1_048_576;
const LARGE_BYTES = 256 * 1_048_576;
const ALWAYS = 1_000_000_000;
/** A disk counts as full while less than this is left: no group of messages fits. */
const LEFT_BYTES = 16_384;
const FULL_MS_MAX = 700;
const LIFE_MS = 15_000;

const leftBytes = (disk: string): number => {
  const { bavail, bsize } = statfsSync(disk);
  return bavail * bsize;
};

/** A gateway may end by itself where its disk is full or cannot be written to: whoever runs it starts it again. */
const SAYS_WHY =
  /disk is full|disk_full|no right to write|unwritable|read-?only|disk I\/O error|EROFS|ENOSPC/i;

async function killOrEnded(trial: Trial, gateway: Program): Promise<void> {
  const { signal } = await gateway.kill();
  if (signal === null && SAYS_WHY.test(gateway.printed.stderr)) trial.noteKill();
  else await trial.kill(gateway);
}

/** The lake is away, the disk fills up; kills before, at and while it is full; then room, the lake, and all is there. */
async function fillAndKill(trial: Trial): Promise<TrialResult> {
  const store = await startObjectStore();
  store.orderFault({ kind: "refuse", status: 503, code: "SlowDown", count: ALWAYS });
  try {
    await trial.prepare({ store, device: { paddingBytesMax: 6_000 } });
    const { disk } = trial.site;
    trial.site.mountDisk(SMALL_BYTES);
    trial.publish();
    while (trial.kills < trial.wanted) {
      const gateway = trial.start();
      const endUs = systemClock.monotonicUs() + LIFE_MS * 1_000;
      await until(
        "the disk is full",
        () => leftBytes(disk) < LEFT_BYTES || gateway.end !== undefined || systemClock.monotonicUs() > endUs,
      );
      await trial.sleep(FULL_MS_MAX);
      await killOrEnded(trial, gateway);
    }
    if (leftBytes(disk) > SMALL_BYTES / 4) trial.failures.push("the disk never was full");
    trial.site.remountDisk({ bytes: LARGE_BYTES });
    store.clearFaults();
    return await trial.result(await trial.drain());
  } finally {
    await store.stop();
  }
}

/** The disk can suddenly only be read: for a while, or until the kill, and at the next start. */
async function readOnlyAndKill(trial: Trial): Promise<TrialResult> {
  await trial.begin();
  while (trial.kills < trial.wanted) {
    const gateway = trial.start();
    await trial.working(gateway);
    await trial.sleep(100);
    trial.machine.fail("read-only");
    await trial.sleep(500);
    if (trial.random.int(2) === 0) trial.machine.heal();
    await trial.sleep(200);
    await killOrEnded(trial, gateway);
    if (trial.random.int(2) === 0) {
      const refused = trial.start();
      await trial.sleep(1_200);
      await killOrEnded(trial, refused);
    }
    trial.machine.heal();
  }
  return trial.result(await trial.drain());
}

/** A real remount between two lives: the start says that it cannot write, and nothing is lost by it. */
async function remountAndKill(trial: Trial): Promise<TrialResult> {
  await trial.prepare({});
  trial.site.mountDisk(LARGE_BYTES);
  trial.publish();
  while (trial.kills < trial.wanted) {
    const gateway = trial.start();
    await trial.working(gateway);
    await trial.sleep(250);
    await trial.kill(gateway);
    trial.site.remountDisk("ro");
    const refused = trial.start();
    await until("the start refuses", () => refused.end !== undefined, {
      evidence: () => JSON.stringify(refused.printed),
    });
    const { end, printed } = refused;
    if (end === undefined || end.code === 0 || !SAYS_WHY.test(printed.stderr))
      trial.failures.push(`the start on a read-only disk said ${JSON.stringify(end)} ${printed.stderr}`);
    await killOrEnded(trial, refused);
    trial.site.remountDisk("rw");
  }
  return trial.result(await trial.drain());
}

export const FULL_DISK: readonly Scenario[] = [
  {
    name: "disk full",
    what: "A file system of 12 MiB fills up while the lake is away; SIGKILL before and while it is full; then there is room.",
    needs: ["mount"],
    share: 4,
    trialKillsMax: 12,
    run: fillAndKill,
  },
  {
    name: "disk turns read-only",
    what: "Every write fails with EROFS, for a while or until the SIGKILL and over the next start; a gateway that ends by itself and says why is started again.",
    needs: ["cc"],
    share: 4,
    trialKillsMax: 15,
    run: readOnlyAndKill,
  },
  {
    name: "disk mounted read-only at a start",
    what: "SIGKILL, the file system is remounted read-only, a start refuses, it is remounted again.",
    needs: ["mount"],
    share: 2,
    trialKillsMax: 10,
    run: remountAndKill,
  },
];
