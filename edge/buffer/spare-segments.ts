/** What must be known of a segment to see whether it may go. */
export interface SegmentFacts {
  /** The offset after its last message. */
  readonly endOffset: number;
  diskBytes(): number;
}

export interface SpareLimits {
  /** Everything up to here is on disk elsewhere. */
  readonly throughOffset: number;
  /** The newest messages from here on are kept, because redeliveries are recognised by them after a restart, … */
  readonly newestFromOffset: number;
  /** … as far as they take no more than this. */
  readonly newestBytesMax: number;
}

/** The segments that may go when room is wanted: the oldest, and never the newest, which is written to. Pure. */
export function spareSegments<S extends SegmentFacts>(
  segments: readonly S[],
  { throughOffset, newestFromOffset, newestBytesMax }: SpareLimits,
): readonly S[] {
  let newestBytes = 0;
  const last = segments.findLastIndex((segment) => {
    newestBytes += segment.diskBytes();
    return segment.endOffset <= newestFromOffset || newestBytes > newestBytesMax;
  });
  return segments
    .slice(0, Math.min(last + 1, segments.length - 1))
    .filter(({ endOffset }) => endOffset <= throughOffset + 1);
}
