import { cosineOfTurns } from "../turns.ts";
import type { NoInput } from "./function.ts";
import { dayTurn, localTimeOf, ZONE } from "./local-time.ts";

/**
 * The cosine of how much of the day is over from midnight on, at the window's last microsecond in `zone` (UTC where
 * nothing is said): with the sine, a day without a seam for a model. The same bits on every machine (`cosineOfTurns`). Unit: 1.
 */
export const dayCosine: NoInput = {
  name: "day_cosine",
  kind: "no input",
  summary:
    "The cosine of how much of the day is over in `zone` at the window's last microsecond, from midnight on.",
  unit: "1",
  settings: { zone: ZONE },
  evaluate(call) {
    const local = localTimeOf(call);
    return local === undefined ? undefined : cosineOfTurns(dayTurn(local));
  },
};
