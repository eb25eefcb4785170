import { sineOfTurns } from "../turns.ts";
import type { NoInput } from "./function.ts";
import { dayTurn, localTimeOf, ZONE } from "./local-time.ts";

/**
 * The sine of how much of the day is over from midnight on, at the window's last microsecond in `zone` (UTC where
 * nothing is said): with the cosine, a day without a seam for a model. The same bits on every machine (`sineOfTurns`). Unit: 1.
 */
export const daySine: NoInput = {
  name: "day_sine",
  kind: "no input",
  summary:
    "The sine of how much of the day is over in `zone` at the window's last microsecond, from midnight on.",
  unit: "1",
  settings: { zone: ZONE },
  evaluate(call) {
    const local = localTimeOf(call);
    return local === undefined ? undefined : sineOfTurns(dayTurn(local));
  },
};
