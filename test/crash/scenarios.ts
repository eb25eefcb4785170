import type { Scenario } from "./scenario.ts";
import { KILL_POINTS } from "./scenarios/kill-points.ts";
import { BROKEN_SYNCS, POWER_CUTS } from "./scenarios/power-cuts.ts";
import { RANDOM_KILLS } from "./scenarios/random-kills.ts";

/** Every scenario, in the order of the table; what must show loss comes last. */
export const SCENARIOS: readonly Scenario[] = [
  ...RANDOM_KILLS,
  ...KILL_POINTS,
  ...POWER_CUTS,
  ...BROKEN_SYNCS,
];
