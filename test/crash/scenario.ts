import type { Trial, TrialResult } from "./trial.ts";

/** What a scenario cannot do without; where it is missing, the scenario is skipped, and says so. */
export type Need = "cc" | "mosquitto" | "mount";

/** One way in which a gateway, its disk, its clock or its link fails. */
export interface Scenario {
  readonly name: string;
  /** What happens, in one sentence. */
  readonly what: string;
  readonly needs: readonly Need[];
  /** How many of the kills it gets, beside the others. */
  readonly share: number;
  /** Most kills of one trial; further ones are other trials, with other seeds. */
  readonly trialKillsMax: number;
  /** That it shows loss is what it is for: durability is broken on purpose. */
  readonly mustLose?: boolean;
  run(trial: Trial): Promise<TrialResult>;
}
