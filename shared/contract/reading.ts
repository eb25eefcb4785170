/** One measured quantity of one device. `unit` is undefined where the contract names none. */
export interface Series {
  readonly device: string;
  readonly deviceType: string;
  readonly metric: string;
  readonly unit: string | undefined;
}

/**
 * Whose clock stamped the event time: the device's, or ours at arrival because the device sent none; "unsure" is ours
 * while it was known to be wrong, so that the time is only good for what the lake's `readings_corrected` makes of it.
 */
export const CLOCKS = ["device", "arrival", "unsure"] as const;

/**
 * Readings by column: what decoding makes and everything after it reads.
 *
 * All arrays have `count` entries and are ordered by (offset, index). Times are whole microseconds since the epoch,
 * UTC, exact in a double until the year 2255. `value` is always finite. `clock` indexes CLOCKS. `withheld` is 1 where a
 * reading is stored but kept from features and models, because its stream or its quality is not to be trusted.
 * The identity of a reading is gateway, epoch, offset and index.
 */
export interface ReadingBlock {
  readonly count: number;
  readonly series: readonly Series[];
  readonly seriesIndex: Uint32Array;
  readonly offset: Float64Array;
  readonly index: Uint32Array;
  readonly measuredAtUs: Float64Array;
  readonly receivedAtUs: Float64Array;
  readonly value: Float64Array;
  readonly clock: Uint8Array;
  readonly withheld: Uint8Array;
}
