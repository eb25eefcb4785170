/**
 * What a gateway sends to the lake. Each stream has its own landing objects and its own Delta table.
 *
 * The offsets of `readings`, `labels` and `quarantine` are message offsets (several rows can share one; the
 * row's `index` tells them apart). The offsets of `features` and `predictions` are the stream's own row numbers.
 */
export const STREAMS = ["readings", "features", "predictions", "labels", "quarantine"] as const;

export type Stream = (typeof STREAMS)[number];
