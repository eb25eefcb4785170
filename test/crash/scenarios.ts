import type { Scenario } from "./scenario.ts";
import { CLOCK_STEPS } from "./scenarios/clock-steps.ts";
import { DAMAGE } from "./scenarios/damage.ts";
import { EARLY_ACKNOWLEDGEMENT } from "./scenarios/early-acknowledgement.ts";
import { EXISTING_BROKER } from "./scenarios/existing-broker.ts";
import { MODEL_SWAP } from "./scenarios/model-swap.ts";
import { FULL_DISK } from "./scenarios/full-disk.ts";
import { LAKE_LINK } from "./scenarios/lake-link.ts";
import { SHED } from "./scenarios/shed.ts";
import { STOPPED } from "./scenarios/stopped.ts";
import { KILL_POINTS } from "./scenarios/kill-points.ts";
import { BROKEN_SYNCS, POWER_CUTS } from "./scenarios/power-cuts.ts";
import { RANDOM_KILLS } from "./scenarios/random-kills.ts";

/** Every scenario, in the order of the table; what must show loss comes last. */
export const SCENARIOS: readonly Scenario[] = [
  ...RANDOM_KILLS,
  ...EXISTING_BROKER,
  ...KILL_POINTS,
  ...MODEL_SWAP,
  ...SHED,
  ...LAKE_LINK,
  ...POWER_CUTS,
  ...DAMAGE,
  ...FULL_DISK,
  ...STOPPED,
  ...CLOCK_STEPS,
  ...BROKEN_SYNCS,
  ...EARLY_ACKNOWLEDGEMENT,
];
