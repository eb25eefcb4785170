import type { NoInput } from "./function.ts";
import { localTimeOf, ZONE } from "./local-time.ts";

/**
 * The day of the week, 1 (Monday) to 7 (Sunday), as ISO 8601 numbers them, at the window's last microsecond in `zone` (UTC where nothing is said), as
 * `localTimeOf` has it. Unit: 1.
 */
export const weekday: NoInput = {
  name: "weekday",
  kind: "no input",
  summary: "The day of the week in `zone` at the window's last microsecond, 1 (Monday) to 7 (Sunday).",
  unit: "1",
  settings: { zone: ZONE },
  evaluate: (call) => localTimeOf(call)?.weekday,
};
