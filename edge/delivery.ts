import type { Delivery } from "@sluice/shared/contract/fleet.ts";
import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";

/** What a report needs of the state. */
export interface DeliveryState {
  readonly decodedThrough: number;
  deliveredThrough(stream: Stream): number;
  sealedThrough(stream: Stream): number;
  pending(stream: Stream): { readonly rows: number };
}

/** How far the messages have come on their way to the lake; `nextOffset` is the offset of the next message. */
export const deliveryOf = (state: DeliveryState, nextOffset: number): Delivery => ({
  storedThrough: nextOffset - 1,
  decodedThrough: state.decodedThrough,
  streams: Object.fromEntries(
    STREAMS.map((stream) => [
      stream,
      {
        deliveredThrough: state.deliveredThrough(stream),
        sealedThrough: state.sealedThrough(stream),
        waitingRows: state.pending(stream).rows,
      },
    ]),
  ),
});
