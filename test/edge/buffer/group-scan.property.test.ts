import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { GroupScan, lookThrough } from "../../../edge/buffer/group-scan.ts";
import { decodeGroup } from "../../../edge/buffer/message-group.ts";
import { keyOf } from "../../../edge/buffer/redelivery-filter.ts";
import { codeOf, groupOf, messageOf } from "./fixtures.ts";

const messages: fc.Arbitrary<IncomingMessage[]> = fc.array(
  fc
    .record({
      client: fc.string({ unit: "grapheme", maxLength: 20 }),
      packetId: fc.integer({ min: 0, max: 65_535 }),
      qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
      dup: fc.boolean(),
      topic: fc.string({ unit: "grapheme", maxLength: 30 }),
      payload: fc.string({ maxLength: 60 }),
    })
    .map(({ payload, ...more }) => messageOf(payload, more)),
  { maxLength: 20 },
);

const keys = (group: Uint8Array): object[] => {
  const found: object[] = [];
  for (const scan = new GroupScan(group); scan.next();) {
    const { client, packetId, qos, dup, hash } = scan;
    found.push({ client, packetId, qos, dup, hash });
  }
  return found;
};

test("the keys of a group are those of its messages", () => {
  fc.assert(
    fc.property(messages, (written) => {
      const group = groupOf(written);
      expect(keys(group)).toEqual(decodeGroup(group).map(keyOf));
      const hasRepeats = written.some(({ dup }) => dup);
      expect(lookThrough(group)).toEqual({ count: written.length, hasRepeats });
    }),
  );
});

test("what decoding refuses as torn or hostile, a look through it refuses too, and nothing else", () => {
  const flip = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(messages, fc.array(flip, { maxLength: 3 }), fc.option(fc.nat()), (written, flips, cut) => {
      const group = groupOf(written);
      for (const [at, bits] of flips) group[at % group.length] = (group[at % group.length] ?? 0) ^ bits;
      const bytes = cut === null ? group : group.subarray(0, cut % (group.length + 1));
      expect(codeOf(() => lookThrough(bytes))).toBe(codeOf(() => decodeGroup(bytes)));
    }),
  );
});
