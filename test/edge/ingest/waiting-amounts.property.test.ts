import * as fc from "fast-check";
import { expect, test } from "vitest";
import { WaitingAmounts } from "../../../edge/ingest/waiting-amounts.ts";

const LIMITS = { ofSessionMax: 4, ofSessionBytesMax: 20, bytesMax: 30 };

const command = fc.record({
  clientId: fc.constantFrom("a", "b", "c"),
  bytes: fc.nat(12),
  isRemoval: fc.boolean(),
});

test("no session and not all together ever hold more than their limits, and what goes makes room", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const amounts = new WaitingAmounts(LIMITS);
      const model = new Map<string, number[]>();
      const answers: [boolean, boolean][] = [];
      const sum = (of: Iterable<number>): number => [...of].reduce((total, bytes) => total + bytes, 0);
      for (const { clientId, bytes, isRemoval } of commands) {
        const own = model.get(clientId) ?? [];
        model.set(clientId, own);
        const oldest = own[0];
        if (isRemoval && oldest !== undefined) {
          own.shift();
          amounts.remove(clientId, oldest);
        } else if (!isRemoval) {
          const isRoom =
            own.length < LIMITS.ofSessionMax &&
            sum(own) + bytes <= LIMITS.ofSessionBytesMax &&
            sum([...model.values()].flat()) + bytes <= LIMITS.bytesMax;
          answers.push([amounts.tryAdd(clientId, bytes), isRoom]);
          if (isRoom) own.push(bytes);
        }
      }
      expect(answers.map(([answer]) => answer)).toEqual(answers.map(([, isRoom]) => isRoom));
    }),
  );
});

test("what counts on without its bytes is let go when nothing waits for the session any more", () => {
  const amounts = new WaitingAmounts(LIMITS);
  expect([amounts.tryAdd("a", 15), amounts.tryAdd("a", 5)]).toEqual([true, true]);
  amounts.remove("a", 0); // As of a PUBREL.
  expect(amounts.tryAdd("a", 15)).toBe(false);
  amounts.remove("a", 5);
  expect(amounts.tryAdd("a", 20)).toBe(true);
});
