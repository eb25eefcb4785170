import type { Label } from "@sluice/shared/contract/label.ts";

/**
 * Feature vectors of one view by column, every revision that the lake knows, in any order.
 *
 * All arrays have one entry per vector; `values` is row-major with one column per feature of the view, NaN where the
 * feature has no value. Times are whole microseconds since the epoch, UTC; windows are half-open.
 */
export interface VectorTable {
  readonly gateway: readonly string[];
  readonly epoch: readonly string[];
  readonly seq: Float64Array;
  readonly device: readonly string[];
  readonly windowStartUs: Float64Array;
  readonly windowEndUs: Float64Array;
  readonly revision: Float64Array;
  /** When the vector could first be known. */
  readonly closedAtUs: Float64Array;
  readonly readingCount: Float64Array;
  /** 1 where models do not get it, because the breaker of the view was open for the device. */
  readonly withheld: Uint8Array;
  readonly values: Float64Array;
}

export interface VectorQuery {
  readonly viewHash: string;
  /** Windows that end after `fromUs` and begin before `toUs`. */
  readonly fromUs?: number;
  readonly toUs?: number;
  /** Only what was known by then. */
  readonly knownByUs?: number;
}

/** What the dataset needs of the lake. A source may return more than was asked for: everything is filtered again. */
export interface VectorSource {
  vectors(query: VectorQuery): Promise<VectorTable>;
  labels(query: { readonly knownByUs?: number }): Promise<readonly Label[]>;
}
