import type { FeatureView, FeatureWindow } from "../contract/feature-view.ts";
import { settingsOf } from "./feature-settings.ts";
import { FUNCTIONS } from "./functions/registry.ts";
import type { ViewIssue } from "./view-error.ts";

/** Most numbers that the stateful functions of a view keep per device: 32 KiB, or 2 GiB at the most devices. */
export const STATE_DOUBLES_MAX = 4_096;

/** Most memory for the states of windows that can still be revised, per device: 16 MiB. */
export const STATE_BYTES_MAX = 16_777_216;

/** What a kept state takes beside its numbers. */
const STATE_OVERHEAD_BYTES = 128;

/** Windows that cannot be, beyond what the view's schema refuses, and state that would not fit into memory. */
export function checkWindow(view: FeatureView): ViewIssue[] {
  const { window } = view;
  const issues: ViewIssue[] = [];
  const refuse = (path: string[], message: string): void => {
    issues.push({ path, message });
  };
  if (window.kind === "sliding" && window.hopMs !== undefined && window.hopMs > window.sizeMs)
    refuse(["window", "hopMs"], "must not be above sizeMs: readings would be in no window");
  if (window.kind === "session" && window.gapMs > window.sizeMs)
    refuse(["window", "gapMs"], "must not be above sizeMs: every session would be cut before it can end");
  if (window.kind === "count" && (window.hopReadings ?? 0) > window.readings)
    refuse(["window", "hopReadings"], "must not be above readings: readings would be in no window");
  issues.push(...checkState(view));
  return issues;
}

function checkState(view: FeatureView): ViewIssue[] {
  const doubles = stateDoublesOf(view);
  if (doubles > STATE_DOUBLES_MAX) {
    const message = `the stateful functions keep ${doubles} numbers per device; ${STATE_DOUBLES_MAX} is the most`;
    return [{ path: ["features"], message }];
  }
  const windows = Math.ceil(view.window.correctionMs / hopMsOf(view.window)) + 1;
  const bytes = windows * (doubles * 8 + STATE_OVERHEAD_BYTES);
  if (doubles === 0 || bytes <= STATE_BYTES_MAX) return [];
  const message = `${windows} windows can be revised, with a state of ${doubles} numbers each: ${bytes} bytes per device, ${STATE_BYTES_MAX} is the most; shorten correctionMs or hop less often`;
  return [{ path: ["window", "correctionMs"], message }];
}

/** What the stateful functions of a view keep per device; functions with mistakes count nothing. */
function stateDoublesOf(view: FeatureView): number {
  let doubles = 0;
  for (const feature of view.features) {
    const fn = "fn" in feature ? FUNCTIONS.get(feature.fn) : undefined;
    if (fn?.kind !== "stateful" || !("fn" in feature)) continue;
    const count = fn.doubles(settingsOf(feature, fn));
    if (Number.isSafeInteger(count)) doubles += count;
  }
  return doubles;
}

/** The least time between the ends of two windows; where each reading can make one, the rate decides and nothing is said here. */
function hopMsOf(window: FeatureWindow): number {
  if (window.kind === "tumbling") return window.sizeMs;
  if (window.kind === "hopping") return window.hopMs;
  if (window.kind === "session") return window.gapMs;
  return window.kind === "sliding" ? (window.hopMs ?? Infinity) : Infinity;
}
