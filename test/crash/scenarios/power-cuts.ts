import type { Scenario } from "../scenario.ts";
import type { Trial, TrialResult } from "../trial.ts";

const WORK_MS_MAX = 400;

interface PowerCut {
  readonly sync?: "normal" | "off";
  /** Whether some of the sectors arrive that were written but not synced. */
  readonly torn?: boolean;
  readonly mustLose?: boolean;
}

async function cutAgainAndAgain(
  trial: Trial,
  { sync, torn = false, mustLose = false }: PowerCut,
): Promise<TrialResult> {
  await trial.begin();
  while (trial.kills < trial.wanted) {
    const gateway = trial.start({ powerCut: true, ...(sync === undefined ? {} : { sync }) });
    await trial.working(gateway, 1 + trial.random.int(200));
    await trial.sleep(WORK_MS_MAX);
    await trial.kill(gateway);
    trial.machine.cutPower(torn ? trial.random : undefined);
  }
  return trial.result(await trial.drain(), { mayLose: mustLose, damaged: mustLose });
}

export const POWER_CUTS: readonly Scenario[] = [
  {
    name: "power cut, nothing unsynced survives",
    what: "SIGKILL; the next start finds only the bytes and names that were synced.",
    needs: ["cc"],
    share: 6,
    trialKillsMax: 15,
    run: (trial) => cutAgainAndAgain(trial, {}),
  },
  {
    name: "power cut, torn write-ahead log",
    what: "The same, but any 512-byte sectors that were written and not synced arrive, and others do not.",
    needs: ["cc"],
    share: 6,
    trialKillsMax: 15,
    run: (trial) => cutAgainAndAgain(trial, { torn: true }),
  },
];

/** What the suite must report as lost, or it could not be trusted where it reports nothing. */
export const BROKEN_SYNCS: readonly Scenario[] = (["normal", "off"] as const).map((sync) => ({
  name: `control: synchronous=${sync.toUpperCase()} and a power cut`,
  what: `The power cut again, on a disk that syncs as often as SQLite does with synchronous=${sync.toUpperCase()}.`,
  needs: ["cc"],
  share: 1,
  trialKillsMax: 5,
  mustLose: true,
  run: (trial) => cutAgainAndAgain(trial, { sync, mustLose: true }),
}));
