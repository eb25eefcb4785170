import type { FeatureView } from "../contract/feature-view.ts";

/** A view's window in whole microseconds, and in places of its metrics. */
export interface WindowTimes {
  readonly kind: FeatureView["window"]["kind"];
  /** Longest span of a window; infinite where readings are counted. */
  readonly sizeUs: number;
  /** From one window to the next: of a tumbling one its size, of a sliding one at least 1. */
  readonly hopUs: number;
  /** The silence that ends a session. */
  readonly gapUs: number;
  /** Of a window by count: the metric that is counted, how many make a window, and how many windows are apart. */
  readonly counted: { readonly metric: number; readonly readings: number; readonly hopReadings: number };
  readonly allowedLatenessUs: number;
  readonly correctionUs: number;
  /** Infinite where only a device's own readings close its windows. */
  readonly idleAfterUs: number;
}

/** `metrics` are those that the view reads, each once. The view must have passed `checkView`. */
export function windowTimes({ window, inputs }: FeatureView, metrics: readonly string[]): WindowTimes {
  const sizeUs = window.kind === "count" ? Infinity : window.sizeMs * 1_000;
  const count = window.kind === "count" ? window : undefined;
  return {
    kind: window.kind,
    sizeUs,
    hopUs: hopUsOf(window, sizeUs),
    gapUs: window.kind === "session" ? window.gapMs * 1_000 : Infinity,
    counted: {
      metric: metrics.indexOf(inputs[count?.of ?? ""]?.metric ?? ""),
      readings: count?.readings ?? Infinity,
      hopReadings: count?.hopReadings ?? count?.readings ?? Infinity,
    },
    allowedLatenessUs: window.allowedLatenessMs * 1_000,
    correctionUs: window.correctionMs * 1_000,
    idleAfterUs: window.idleAfterMs === undefined ? Infinity : window.idleAfterMs * 1_000,
  };
}

function hopUsOf(window: FeatureView["window"], sizeUs: number): number {
  if (window.kind === "hopping") return window.hopMs * 1_000;
  if (window.kind === "sliding") return window.hopMs === undefined ? 1 : window.hopMs * 1_000;
  return sizeUs;
}
