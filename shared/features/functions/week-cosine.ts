import { cosineOfTurns } from "../turns.ts";
import type { NoInput } from "./function.ts";
import { weekTurn, localTimeOf, ZONE } from "./local-time.ts";

/**
 * The cosine of how much of the week is over from Monday, midnight on, at the window's last microsecond in `zone` (UTC where
 * nothing is said): with the sine, a week without a seam for a model. The same bits on every machine (`cosineOfTurns`). Unit: 1.
 */
export const weekCosine: NoInput = {
  name: "week_cosine",
  kind: "no input",
  summary:
    "The cosine of how much of the week is over in `zone` at the window's last microsecond, from Monday, midnight on.",
  unit: "1",
  settings: { zone: ZONE },
  evaluate(call) {
    const local = localTimeOf(call);
    return local === undefined ? undefined : cosineOfTurns(weekTurn(local));
  },
};
