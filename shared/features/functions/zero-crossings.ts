import type { OneInput } from "./function.ts";

/** How often the sign changes from one reading to the next; a reading of exactly 0 has no sign and is passed over. Unit: 1. */
export const zeroCrossings: OneInput = {
  name: "zero_crossings",
  kind: "one input",
  summary: "How often the sign changes from one reading to the next; zeros are passed over.",
  unit: "1",
  evaluate(input) {
    if (input.count === 0) return undefined;
    let sign = 0;
    let crossings = 0;
    for (let i = 0; i < input.count; i++) {
      const next = Math.sign(input.value(i));
      if (next === 0) continue;
      if (sign !== 0 && next !== sign) crossings += 1;
      sign = next;
    }
    return crossings;
  },
};
