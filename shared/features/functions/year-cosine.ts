import { cosineOfTurns } from "../turns.ts";
import type { NoInput } from "./function.ts";
import { yearTurn, localTimeOf, ZONE } from "./local-time.ts";

/**
 * The cosine of how much of the year is over from 1 January, midnight on, at the window's last microsecond in `zone` (UTC where
 * nothing is said): with the sine, a year without a seam for a model. The same bits on every machine (`cosineOfTurns`). Unit: 1.
 */
export const yearCosine: NoInput = {
  name: "year_cosine",
  kind: "no input",
  summary:
    "The cosine of how much of the year is over in `zone` at the window's last microsecond, from 1 January, midnight on.",
  unit: "1",
  settings: { zone: ZONE },
  evaluate(call) {
    const local = localTimeOf(call);
    return local === undefined ? undefined : cosineOfTurns(yearTurn(local));
  },
};
