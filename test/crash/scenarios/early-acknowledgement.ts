import { fileURLToPath } from "node:url";
import type { Scenario } from "../scenario.ts";
import { dieAtPoint } from "./kill-points.ts";

const EARLY_GATEWAY = fileURLToPath(new URL("../early-gateway.ts", import.meta.url));
const GROUPS_MAX = 20;

/** What the suite must report as lost, or it could not be trusted where it reports nothing. */
export const EARLY_ACKNOWLEDGEMENT: readonly Scenario[] = [
  {
    name: "control: acknowledged before the commit",
    what: "SIGKILL before the sync of a group, in a gateway of the same parts that acknowledges before it stores.",
    needs: ["cc"],
    share: 2,
    trialKillsMax: 10,
    mustLose: true,
    run: async (trial) => {
      await trial.begin();
      const kill = { operation: "write", pattern: "*/segment-*.db-wal" } as const;
      while (trial.kills < trial.wanted)
        await dieAtPoint(
          trial,
          trial.start({ kill: { ...kill, n: 10 + trial.random.int(GROUPS_MAX) } }, EARLY_GATEWAY),
        );
      return trial.result(await trial.drain(), { mayLose: true });
    },
  },
];
