import type { NoInput } from "./function.ts";
import { localTimeOf, ZONE } from "./local-time.ts";

/**
 * The hour of the day, 0 to 23, at the window's last microsecond in `zone` (UTC where nothing is said), as
 * `localTimeOf` has it. Unit: hours.
 */
export const hour: NoInput = {
  name: "hour",
  kind: "no input",
  summary: "The hour of the day in `zone` at the window's last microsecond, 0 to 23.",
  unit: "h",
  settings: { zone: ZONE },
  evaluate: (call) => localTimeOf(call)?.hour,
};
