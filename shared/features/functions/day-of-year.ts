import type { NoInput } from "./function.ts";
import { localTimeOf, ZONE } from "./local-time.ts";

/**
 * The day of the year, 1 (1 January) to 366, at the window's last microsecond in `zone` (UTC where nothing is said), as
 * `localTimeOf` has it. Unit: days.
 */
export const dayOfYear: NoInput = {
  name: "day_of_year",
  kind: "no input",
  summary: "The day of the year in `zone` at the window's last microsecond, 1 to 366.",
  unit: "d",
  settings: { zone: ZONE },
  evaluate: (call) => localTimeOf(call)?.dayOfYear,
};
