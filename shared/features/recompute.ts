import type { FeatureView } from "../contract/feature-view.ts";
import type { ReadingBlock } from "../contract/reading.ts";
import type { FeatureVector } from "../contract/vector.ts";
import { WindowEngine } from "./engine.ts";

/** A view as one gateway computed it: its hash, and the message offset from which on. */
export interface ComputedView {
  readonly view: FeatureView;
  readonly hash: string;
  readonly sinceOffset: number;
}

/**
 * The vectors that a gateway made of these readings, bit for bit and in its order.
 *
 * The blocks are all readings of one gateway and one epoch from `sinceOffset` on (earlier ones are ignored), ordered
 * by (offset, index), cut anywhere; at least those of the view's device type and metrics, and of a view that closes
 * windows of idle devices all, because the arrival of each is what time passes by. Each epoch is computed by
 * itself, because a gateway with a new buffer starts anew. Memory is the engine's and one block.
 */
export function* recompute(computed: ComputedView, blocks: Iterable<ReadingBlock>): Generator<FeatureVector> {
  const engine = new WindowEngine(computed.view, computed.hash, computed.sinceOffset);
  for (const block of blocks) yield* engine.take(block);
  yield* engine.settle();
}
