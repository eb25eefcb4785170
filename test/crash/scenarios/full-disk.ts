import { readdirSync, statfsSync } from "node:fs";
import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import type { Failure } from "../machine.ts";
import { type Program, until } from "../programs.ts";
import type { Scenario } from "../scenario.ts";
import type { Trial, TrialResult } from "../trial.ts";

const SMALL_BYTES = 12 * 1_048_576;
const LARGE_BYTES = 256 * 1_048_576;
const ALWAYS = 1_000_000_000;
/** A disk counts as full while less than this is left: no group of messages fits. */
const LEFT_BYTES = 16_384;
const FULL_MS_MAX = 700;
/** The longest that the disk may take to fill up: a start on a busy machine is part of it. */
const LIFE_MS = 40_000;

const leftBytes = (disk: string): number => {
  const { bavail, bsize } = statfsSync(disk);
  return bavail * bsize;
};

/** A gateway refuses to start where its disk is full or cannot be written to: whoever runs it starts it again. */
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

/** What fails: everything, the messages alone, what is derived from them alone. */
const PATTERNS = ["*", "*/segments/*", "*/state.db*"] as const;

/**
 * The disk suddenly refuses writes: for a while, after which the same process must go on by itself, or until the kill,
 * and at the next start. What runs must not end, and nothing may be taken for damaged.
 */
async function failAndKill(trial: Trial, how: Failure): Promise<TrialResult> {
  await trial.begin();
  while (trial.kills < trial.wanted) {
    const gateway = trial.start();
    await trial.working(gateway);
    await trial.sleep(100);
    trial.machine.fail(how, PATTERNS[trial.random.int(PATTERNS.length)]);
    await trial.sleep(500);
    if (trial.random.int(2) === 0) {
      trial.machine.heal();
      await trial.working(gateway);
    }
    await trial.sleep(200);
    await trial.kill(gateway);
    if (trial.random.int(2) === 0) {
      const refused = trial.start();
      await trial.sleep(1_200);
      await killOrEnded(trial, refused);
    }
    trial.machine.heal();
  }
  const status = await trial.drain();
  const aside = readdirSync(trial.site.buffer, { recursive: true })
    .map(String)
    .filter((name) => /damaged/.test(name));
  if (aside.length > 0) trial.failures.push(`set aside without damage: ${aside.join()}`);
  return trial.result(status);
}

function failing(name: string, how: Failure, what: string): Scenario {
  return {
    name,
    what: `${what}, all of them or those of some files, for a while or until the SIGKILL and over the next start; what runs must not end, and goes on by itself.`,
    needs: ["cc"],
    share: 4,
    trialKillsMax: 15,
    run: (trial) => failAndKill(trial, how),
  };
}

/**
 * Syncs fail for a while, and what they were to write is lost in silence; the same process goes on, and then the power
 * fails: what was acknowledged before, and since, must have been written again.
 */
async function loseAndCutPower(trial: Trial): Promise<TrialResult> {
  const orders = { powerCut: true, losesUnsynced: true };
  await trial.begin();
  while (trial.kills < trial.wanted) {
    const gateway = trial.start(orders);
    await trial.working(gateway);
    await trial.sleep(200);
    trial.machine.fail("unsynced", PATTERNS[trial.random.int(PATTERNS.length)]);
    await trial.sleep(400);
    trial.machine.heal();
    await trial.working(gateway);
    await trial.sleep(400);
    await trial.kill(gateway);
    trial.machine.cutPower(trial.random.int(2) === 0 ? trial.random : undefined);
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
  failing("disk turns read-only", "read-only", "Writes fail with EROFS"),
  failing("disk with I/O errors", "failing", "Writes and syncs fail with EIO"),
  failing("disk with failing syncs", "unsynced", "Syncs fail with EIO after writes that did not"),
  {
    name: "failing syncs, then a power cut",
    what: "Syncs fail with EIO for a while, and the pages that they were to write count as written, as Linux has it; the same process goes on, and then the power fails.",
    needs: ["cc"],
    share: 4,
    trialKillsMax: 15,
    run: loseAndCutPower,
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
