import { systemClock } from "@sluice/shared/runtime/clock.ts";
import type { KillPoint, Operation } from "../machine.ts";
import type { Program } from "../programs.ts";
import type { Scenario } from "../scenario.ts";
import type { Trial } from "../trial.ts";

export interface Place {
  readonly pattern: string;
  readonly operations: readonly Operation[];
  /** The kill is at one of the first so many operations. */
  readonly among: number;
}

export const WRITES: readonly Operation[] = ["write", "torn", "wrote"];
export const SYNCS: readonly Operation[] = ["fsync", "synced"];

/** How long a kill point may take to be reached by a gateway that works, before it counts as missed. */
const REACHED_MS = 3_000;

export function pointIn(places: readonly Place[], { random }: Trial): KillPoint {
  const place = places[random.int(places.length)] ?? places[0];
  const { pattern = "*", operations = WRITES, among = 1 } = place ?? {};
  return {
    pattern,
    operation: operations[random.int(operations.length)] ?? "write",
    n: 1 + random.int(among),
  };
}

/** Waits for the kill that was ordered; where the point is not reached in time, kills now. */
export async function dieAtPoint(trial: Trial, gateway: Program): Promise<boolean> {
  const timer = new AbortController();
  if (await trial.working(gateway))
    await Promise.race([gateway.ended, systemClock.sleep(REACHED_MS, timer.signal)]);
  timer.abort();
  const isReached = gateway.end !== undefined;
  await trial.kill(gateway);
  return isReached;
}

function killPoints(name: string, what: string, places: readonly Place[]): Scenario {
  return {
    name,
    what,
    needs: ["cc"],
    share: 6,
    trialKillsMax: 20,
    run: async (trial) => {
      await trial.begin({ qos: trial.random.int(2) === 0 ? 1 : 2 });
      let reached = 0;
      while (trial.kills < trial.wanted)
        if (await dieAtPoint(trial, trial.start({ kill: pointIn(places, trial) }))) reached += 1;
      trial.notePoints(reached);
      return trial.result(await trial.drain());
    },
  };
}

/** Killed at a named point of what follows a SIGTERM: the last checkpoint, and the removal of delivered segments. */
function stopPoints(name: string, what: string, places: readonly Place[]): Scenario {
  return {
    name,
    what,
    needs: ["cc"],
    share: 4,
    trialKillsMax: 15,
    run: async (trial) => {
      await trial.begin({ change: { buffer: { segmentBytesMax: 65_536 } } });
      let reached = 0;
      while (trial.kills < trial.wanted) {
        const gateway = trial.start({ kill: { ...pointIn(places, trial), waitsForArming: true } });
        await trial.working(gateway);
        await trial.sleep(600);
        trial.machine.arm();
        gateway.signal("SIGTERM");
        const { signal } = await gateway.ended;
        if (signal === "SIGKILL") reached += 1;
        trial.noteKill();
      }
      trial.notePoints(reached);
      return trial.result(await trial.drain());
    },
  };
}

export const KILL_POINTS: readonly Scenario[] = [
  killPoints(
    "inside a commit of raw messages",
    "SIGKILL before, in the middle of and after a write or a sync of a segment's write-ahead log.",
    [
      { pattern: "*/segment-*.db-wal", operations: WRITES, among: 60 },
      { pattern: "*/segment-*.db-wal", operations: SYNCS, among: 20 },
      { pattern: "*/offsets*", operations: [...WRITES, "fsync", "rename", "renamed"], among: 1 },
    ],
  ),
  killPoints(
    "inside a step of the pipeline",
    "The same in the write-ahead log of what is derived, sealed and marked as delivered.",
    [
      { pattern: "*/state.db-wal", operations: WRITES, among: 80 },
      { pattern: "*/state.db-wal", operations: SYNCS, among: 20 },
      { pattern: "*/marks.db-wal", operations: [...WRITES, ...SYNCS], among: 4 },
    ],
  ),
  killPoints(
    "inside a fold of a write-ahead log",
    "The same while SQLite moves pages from a write-ahead log into its database, and at a change of segments.",
    [
      { pattern: "*/segment-*.db", operations: WRITES, among: 30 },
      { pattern: "*/segment-*.db", operations: SYNCS, among: 3 },
      { pattern: "*/segment-*.db-wal", operations: ["unlink", "unlinked"], among: 3 },
      { pattern: "*/state.db", operations: [...WRITES, ...SYNCS], among: 3 },
    ],
  ),
  stopPoints(
    "inside a checkpoint and a removal",
    "SIGTERM, then SIGKILL while the last checkpoint is written or delivered segments are removed.",
    [
      { pattern: "*/state.db-wal", operations: [...WRITES, ...SYNCS], among: 30 },
      { pattern: "*/segment-*", operations: ["unlink", "unlinked"], among: 12 },
      { pattern: "*/state.db", operations: [...WRITES, ...SYNCS, "unlink"], among: 4 },
      { pattern: "*/offsets*", operations: ["write", "fsync", "rename", "renamed"], among: 1 },
    ],
  ),
];
