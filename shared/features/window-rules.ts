import { AlignedRule } from "./aligned-rule.ts";
import { CountRule } from "./count-rule.ts";
import { Panes } from "./panes.ts";
import { SessionRule } from "./session-rule.ts";
import { SlidingRule } from "./sliding-rule.ts";
import type { WindowRule } from "./window-rule.ts";
import type { WindowTimes } from "./window-times.ts";

/** Of a sliding window, which ends anywhere: what it has of a pane at its ends is measured anew each time. */
const SLIDING_PANES = 32;

export function windowRule(times: WindowTimes): WindowRule {
  switch (times.kind) {
    case "tumbling":
    case "hopping":
      return new AlignedRule(times);
    case "sliding":
      return new SlidingRule(times);
    case "session":
      return new SessionRule(times);
    case "count":
      return new CountRule(times);
  }
}

/** The panes of one metric of one device; undefined where windows do not overlap in time. */
export function panesOf({ kind, sizeUs, hopUs }: WindowTimes): Panes | undefined {
  if (kind === "sliding") return new Panes(Math.max(1, Math.ceil(sizeUs / SLIDING_PANES)), SLIDING_PANES);
  if (kind !== "hopping" || sizeUs === hopUs) return undefined;
  return new Panes(hopUs, sizeUs / hopUs);
}
