export interface ShiftPlan {
  /** First and last event time of the recording. */
  readonly fromUs: number;
  readonly toUs: number;
  readonly nowUs: number;
  /** Event time over wall time; 0: at once. */
  readonly speed: number;
  /** Silences are shortened, so that the replay ends sooner than its event times say. */
  readonly isShortened: boolean;
}

/**
 * By how much event times move to the present, so that no row is published before it is measured.
 *
 * Faster than life the last row is measured when it is published, and the ones before it lie in the past; slower
 * than life it is the first one.
 */
export function planShiftUs({ fromUs, toUs, nowUs, speed, isShortened }: ShiftPlan): number {
  if (!(toUs >= fromUs)) return 0;
  const lastsUs = speed === 0 || isShortened ? 0 : (toUs - fromUs) / Math.max(1, speed);
  return Math.round(nowUs + lastsUs - toUs);
}
