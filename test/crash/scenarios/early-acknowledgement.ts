import { join } from "node:path";
import type { Scenario } from "../scenario.ts";
import { liveAndDie } from "./random-kills.ts";

const EARLY_GATEWAY = join(import.meta.dirname, "../early-gateway.ts");

/** What the suite must report as lost, or it could not be trusted where it reports nothing. */
export const EARLY_ACKNOWLEDGEMENT: readonly Scenario[] = [
  {
    name: "control: acknowledged before the commit",
    what: "SIGKILL at random instants of a gateway of the same parts that acknowledges before it stores.",
    needs: [],
    share: 2,
    trialKillsMax: 10,
    mustLose: true,
    run: async (trial) => {
      await trial.begin();
      while (trial.kills < trial.wanted) await liveAndDie(trial, {}, EARLY_GATEWAY);
      return trial.result(await trial.drain(), { mayLose: true });
    },
  },
];
