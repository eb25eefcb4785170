import { sineOfTurns } from "../turns.ts";
import type { NoInput } from "./function.ts";
import { weekTurn, localTimeOf, ZONE } from "./local-time.ts";

/**
 * The sine of how much of the week is over from Monday, midnight on, at the window's last microsecond in `zone` (UTC where
 * nothing is said): with the cosine, a week without a seam for a model. The same bits on every machine (`sineOfTurns`). Unit: 1.
 */
export const weekSine: NoInput = {
  name: "week_sine",
  kind: "no input",
  summary:
    "The sine of how much of the week is over in `zone` at the window's last microsecond, from Monday, midnight on.",
  unit: "1",
  settings: { zone: ZONE },
  evaluate(call) {
    const local = localTimeOf(call);
    return local === undefined ? undefined : sineOfTurns(weekTurn(local));
  },
};
