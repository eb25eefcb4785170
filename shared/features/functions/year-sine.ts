import { sineOfTurns } from "../turns.ts";
import type { NoInput } from "./function.ts";
import { yearTurn, localTimeOf, ZONE } from "./local-time.ts";

/**
 * The sine of how much of the year is over from 1 January, midnight on, at the window's last microsecond in `zone` (UTC where
 * nothing is said): with the cosine, a year without a seam for a model. The same bits on every machine (`sineOfTurns`). Unit: 1.
 */
export const yearSine: NoInput = {
  name: "year_sine",
  kind: "no input",
  summary:
    "The sine of how much of the year is over in `zone` at the window's last microsecond, from 1 January, midnight on.",
  unit: "1",
  settings: { zone: ZONE },
  evaluate(call) {
    const local = localTimeOf(call);
    return local === undefined ? undefined : sineOfTurns(yearTurn(local));
  },
};
