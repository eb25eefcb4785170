import type { Confusion } from "./metrics.ts";

/** A window's prediction: half-open, in microseconds. */
export interface PredictedWindow {
  readonly startUs: number;
  readonly endUs: number;
  readonly anomalous: boolean;
}

/** What is true at one moment. */
export interface TruePoint {
  readonly atUs: number;
  readonly anomalous: boolean;
}

export interface PointScores {
  readonly confusion: Confusion;
  /** Points that no window contains: no alarm was possible, and they count as not alarmed. */
  readonly uncovered: number;
}

/**
 * Scores the windows, all of one size, of one device against a truth per reading, as benchmarks such as SKAB do.
 *
 * A point takes the prediction of the window that contains it and ends first: the first that could know of it.
 * Pool several devices or files with `addConfusions`, and see `ratesOf`. Neither list need be in order. Pure.
 */
export function scorePoints(windows: readonly PredictedWindow[], truth: readonly TruePoint[]): PointScores {
  const byEnd = windows.toSorted((a, b) => a.endUs - b.endUs || b.startUs - a.startUs);
  const points = truth.toSorted((a, b) => a.atUs - b.atUs);
  const counts = { hits: 0, missed: 0, falseAlarms: 0, quiet: 0 };
  let uncovered = 0;
  let next = 0;
  for (const { atUs, anomalous } of points) {
    while (next < byEnd.length && (byEnd[next]?.endUs ?? 0) <= atUs) next++;
    // Windows of one size begin in the order in which they end: if the first does not contain the point, none does.
    const window = byEnd[next];
    const contains = window !== undefined && window.startUs <= atUs;
    if (!contains) uncovered++;
    const alarmed = contains && window.anomalous;
    if (anomalous) counts[alarmed ? "hits" : "missed"]++;
    else counts[alarmed ? "falseAlarms" : "quiet"]++;
  }
  return { confusion: counts, uncovered };
}
