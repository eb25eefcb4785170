/**
 * What a gateway sends to the lake. Each stream has its own landing objects and its own Delta table.
 *
 * The offsets of `readings`, `labels` and `quarantine` are message offsets (several rows can share one; the
 * row's `index` tells them apart). The offsets of the others are the stream's own row numbers.
 */
export const STREAMS = ["readings", "features", "predictions", "labels", "quarantine", "events"] as const;

export type Stream = (typeof STREAMS)[number];

/** The streams whose rows have numbers of their own. */
export const NUMBERED_STREAMS = ["features", "predictions", "events"] as const satisfies readonly Stream[];

export type NumberedStream = (typeof NUMBERED_STREAMS)[number];

export const isNumbered = (stream: Stream): stream is NumberedStream =>
  NUMBERED_STREAMS.some((numbered) => numbered === stream);
