import { readdirSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { GATEWAY, Program, until } from "../programs.ts";
import type { Scenario } from "../scenario.ts";
import type { Trial, TrialResult } from "../trial.ts";
import { type Place, pointIn, SYNCS, WRITES } from "./kill-points.ts";

/** Room for a few segments that are full, so that there is something to cut off. */
const BACKLOG = 600;

const segments = (trial: Trial, suffix: string): readonly string[] => {
  const dir = join(trial.site.buffer, "segments");
  return readdirSync(dir)
    .filter((name) => name.startsWith("segment-") && name.endsWith(suffix))
    .sort()
    .map((name) => join(dir, name))
    .filter((path) => statSync(path).size > 0);
};

function cut(path: string | undefined, trial: Trial): void {
  if (path !== undefined) truncateSync(path, trial.random.int(statSync(path).size));
}

/** Waits until nothing is on its way and everything that is stored is decoded. */
async function settled(trial: Trial): Promise<void> {
  for (const device of trial.devices) device.pause();
  await until("everything is acknowledged", () =>
    trial.devices.every(({ unacknowledged }) => unacknowledged === 0),
  );
  await until("everything is decoded", async () => {
    const { buffer } = await trial.site.getStatus();
    return buffer.decodedThrough + 1 === buffer.nextOffset;
  });
}

/** What was decoded is kept twice: cutting the write-ahead log of the raw messages then must not lose a reading. */
async function cutLogs(trial: Trial): Promise<TrialResult> {
  await trial.begin();
  while (trial.kills < trial.wanted) {
    const gateway = trial.start();
    await trial.working(gateway, 1 + trial.random.int(300));
    await settled(trial);
    await trial.kill(gateway);
    cut(segments(trial, ".db-wal").at(-1), trial);
    for (const device of trial.devices) device.resume();
  }
  return trial.result(await trial.drain(), { damaged: true });
}

/** Messages that nothing was derived from yet are lost with their file: each of them must be reported. */
async function truncateFiles(trial: Trial, repair: (trial: Trial) => Promise<void>): Promise<TrialResult> {
  await trial.begin({ change: { buffer: { segmentBytesMax: 65_536 } } });
  while (trial.kills < trial.wanted) {
    const gateway = trial.start();
    await trial.working(gateway);
    // Nothing can be derived while the state cannot be written: the raw messages are all there is.
    trial.machine.fail("full", "*/state.db*");
    await trial.working(gateway, BACKLOG);
    await trial.kill(gateway);
    trial.machine.heal();
    const files = segments(trial, ".db");
    cut(files[trial.random.int(Math.max(1, files.length - 1))], trial);
    await repair(trial);
  }
  return trial.result(await trial.drain(), { damaged: true });
}

/** What is derived, sealed and marked as delivered is damaged: it must be derived again from the raw messages. */
async function truncateState(trial: Trial): Promise<TrialResult> {
  await trial.begin();
  while (trial.kills < trial.wanted) {
    const gateway = trial.start();
    await trial.working(gateway, 1 + trial.random.int(300));
    await trial.sleep(300);
    await trial.kill(gateway);
    const names = ["state.db", "state.db-wal"].map((name) => join(trial.site.buffer, name));
    cut(names[trial.random.int(2)], trial);
  }
  return trial.result(await trial.drain(), { damaged: true });
}

const REPAIRS: readonly Place[] = [
  { pattern: "*/segments/*", operations: WRITES, among: 20 },
  { pattern: "*/segments*", operations: SYNCS, among: 5 },
  { pattern: "*/segments/*", operations: ["rename", "renamed", "unlink", "unlinked"], among: 2 },
];

/** Repairs what is damaged by the command of the product, killed inside, and then to its end. */
async function repairTwice(trial: Trial): Promise<void> {
  const command = ["buffer", "repair", "--config", trial.site.gatewayFile, "--replace"];
  const killed = Program.node(GATEWAY, command, trial.machine.env({ kill: pointIn(REPAIRS, trial) }));
  if ((await killed.ended).signal === "SIGKILL") trial.noteKill();
  const whole = Program.node(GATEWAY, command);
  const { code } = await whole.ended;
  // 1 says that not everything could be saved, which is so.
  if (code !== 0 && code !== 1)
    trial.failures.push(`buffer repair ended with ${code}: ${whole.printed.stderr}`);
}

export const DAMAGE: readonly Scenario[] = [
  {
    name: "write-ahead log cut",
    what: "SIGKILL, and the write-ahead log of the newest raw messages ends at a random byte; they were decoded before.",
    needs: [],
    share: 4,
    trialKillsMax: 12,
    run: cutLogs,
  },
  {
    name: "file truncated",
    what: "SIGKILL, and a segment of messages that nothing was derived from yet ends at a random byte: lost must be what is reported.",
    needs: ["cc"],
    share: 3,
    trialKillsMax: 5,
    run: (trial) => truncateFiles(trial, () => Promise.resolve()),
  },
  {
    name: "state truncated",
    what: "SIGKILL, and the file of what is derived, or its write-ahead log, ends at a random byte: all is derived again from the raw messages.",
    needs: [],
    share: 3,
    trialKillsMax: 8,
    run: truncateState,
  },
  {
    name: "inside a repair",
    what: "The same, and `sluice-gateway buffer repair --replace` is killed at a write, a sync or a rename, and then run to its end.",
    needs: ["cc"],
    share: 3,
    trialKillsMax: 8,
    run: (trial) => truncateFiles(trial, repairTwice),
  },
];
