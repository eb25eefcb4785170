/**
 * What closed or revised a window: the watermark of its device, or that the device had been silent for so long as its
 * view allows. The revision that a late reading makes is the watermark's too.
 */
export const CLOSINGS = ["watermark", "idle"] as const;

export type Closing = (typeof CLOSINGS)[number];

/**
 * All features of one view over one window of one device, in the order of the view.
 *
 * `values[i]` is finite, or undefined where the feature has no value (no reading, not enough of them).
 * Half-open window `[windowStartUs, windowEndUs)` in event time. Revision 0 is the first closing; a late reading
 * makes the next revision. `closedAtUs` is the arrival time of the message that closed or revised it: when the
 * vector could first be known. `sinceOffset` is the first message offset that this view's engine saw in this
 * epoch: recomputing from there gives the same bits. `throughOffset` is the message that closed or revised it.
 * `violations` names what the view promises and this vector does not keep (`accel_rms: 12.5 is above 10`); `withheld`
 * says that models do not get it, because the breaker of the view is open for the device.
 */
export interface FeatureVector {
  readonly view: string;
  readonly viewHash: string;
  readonly device: string;
  readonly deviceType: string;
  readonly windowStartUs: number;
  readonly windowEndUs: number;
  readonly revision: number;
  readonly sinceOffset: number;
  readonly throughOffset: number;
  readonly closedAtUs: number;
  readonly closedBy: Closing;
  readonly readingCount: number;
  readonly values: readonly (number | undefined)[];
  readonly violations: readonly string[];
  readonly withheld: boolean;
}

/** A vector as stored: `seq` is its number in the features stream of this gateway and epoch. */
export interface StoredVector extends FeatureVector {
  readonly seq: number;
}
