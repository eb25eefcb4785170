import * as fc from "fast-check";
import { expect, test } from "vitest";
import { spareSegments } from "../../../edge/buffer/spare-segments.ts";

const segments = fc
  .array(fc.record({ count: fc.integer({ min: 1, max: 50 }), bytes: fc.integer({ min: 1, max: 1_000 }) }), {
    minLength: 1,
    maxLength: 20,
  })
  .map((sizes) => {
    let endOffset = 0;
    return sizes.map(({ count, bytes }) => {
      endOffset += count;
      return { endOffset, diskBytes: () => bytes };
    });
  });

test("only the oldest segments may go, of which nothing is needed: never the newest, never what is derived nowhere", () => {
  fc.assert(
    fc.property(
      segments,
      fc.integer({ min: -1, max: 1_000 }),
      fc.integer({ min: -100, max: 1_000 }),
      fc.integer({ min: 0, max: 5_000 }),
      (segments, throughOffset, newestFromOffset, newestBytesMax) => {
        const spare = spareSegments(segments, { throughOffset, newestFromOffset, newestBytesMax });
        expect(spare).toEqual(segments.slice(0, spare.length));
        expect(spare.length).toBeLessThan(segments.length);
        for (const { endOffset } of spare) expect(endOffset - 1).toBeLessThanOrEqual(throughOffset);
        // One more would be needed, or is among the newest that fit into their share.
        const next = segments[spare.length];
        if (next === undefined || spare.length === segments.length - 1) return;
        const kept = segments.slice(spare.length).reduce((sum, segment) => sum + segment.diskBytes(), 0);
        const isNewest = next.endOffset > newestFromOffset && kept <= newestBytesMax;
        expect(isNewest || next.endOffset > throughOffset + 1).toBe(true);
      },
    ),
  );
});
