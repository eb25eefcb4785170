import type { NoInput } from "./function.ts";
import { localTimeOf, ZONE } from "./local-time.ts";

/**
 * 1 on Saturday and Sunday, else 0, at the window's last microsecond in `zone` (UTC where nothing is said), as
 * `localTimeOf` has it. Unit: 1.
 */
export const isWeekend: NoInput = {
  name: "is_weekend",
  kind: "no input",
  summary: "1 on Saturday and Sunday in `zone` at the window's last microsecond, else 0.",
  unit: "1",
  settings: { zone: ZONE },
  evaluate(call) {
    const local = localTimeOf(call);
    return local === undefined ? undefined : Number(local.weekday >= 6);
  },
};
