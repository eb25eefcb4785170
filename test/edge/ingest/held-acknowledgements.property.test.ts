import * as fc from "fast-check";
import { expect, test } from "vitest";
import { HeldAcknowledgements } from "../../../edge/ingest/held-acknowledgements.ts";

test("acknowledgements go out in the order of their messages, each as soon as all before it are durable", () => {
  fc.assert(
    fc.property(
      fc
        .integer({ min: 1, max: 60 })
        .chain((count) => fc.shuffledSubarray([...Array(count).keys()]).map((order) => ({ count, order }))),
      ({ count, order }) => {
        const held = new HeldAcknowledgements();
        const sent: number[] = [];
        const durable = Array.from({ length: count }, (_, i) => held.hold(() => sent.push(i)));
        const settled = new Set<number>();
        for (const i of order) {
          durable[i]?.();
          durable[i]?.(); // Twice changes nothing.
          settled.add(i);
          let prefix = 0;
          while (settled.has(prefix)) prefix++;
          expect(sent).toEqual([...Array(prefix).keys()]);
          expect(held.count).toBe(count - prefix);
        }
      },
    ),
  );
});

test("what is held when the connection closes is never sent", () => {
  const held = new HeldAcknowledgements();
  const sent: string[] = [];
  const first = held.hold(() => {
    sent.push("first");
    held.close();
  });
  const second = held.hold(() => sent.push("second"));
  second();
  first();
  const third = held.hold(() => sent.push("third"));
  third();
  expect(sent).toEqual(["first"]);
  expect(held.count).toBeLessThanOrEqual(1);
});
