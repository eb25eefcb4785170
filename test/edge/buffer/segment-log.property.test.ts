import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { SegmentLog } from "../../../edge/buffer/segment-log.ts";
import { ALL, groupOf, messageOf, openLog, text } from "./fixtures.ts";

type Command =
  | { readonly kind: "append"; readonly sizes: readonly number[] }
  | { readonly kind: "redeliver"; readonly newest: number }
  | { readonly kind: "read"; readonly from: number; readonly messages: number }
  | { readonly kind: "prune"; readonly through: number }
  | { readonly kind: "reopen" };

const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        sizes: fc.array(fc.nat(6_000), { minLength: 1, maxLength: 12 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("redeliver" as const),
        newest: fc.integer({ min: 1, max: 20 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("read" as const),
        from: fc.nat(400),
        messages: fc.integer({ min: 1, max: 100 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("prune" as const), through: fc.nat(400) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
  ),
  { maxLength: 40, size: "max" },
);

interface Stored {
  readonly payload: string;
  readonly packetId: number;
}

/** A log, the array that it must behave as, and how far it was pruned. */
interface Pair {
  readonly dir: string;
  log: SegmentLog;
  readonly model: Stored[];
  pruned: number;
}

const payloads = (stored: readonly Stored[]): string[] => stored.map(({ payload }) => payload);

/** Does the same to both; what the log answers and what it should. */
function run(pair: Pair, command: Command): { readonly got: unknown; readonly wanted: unknown } {
  const { log, model } = pair;
  const end = model.length;
  switch (command.kind) {
    case "append": {
      const added = command.sizes.map((size, i) => ({
        payload: `${end + i}${"x".repeat(size)}`,
        packetId: ((end + i) % 65_535) + 1,
      }));
      model.push(...added);
      return {
        got: log.append(groupOf(added.map(({ payload, packetId }) => messageOf(payload, { packetId })))),
        wanted: { fromOffset: end, count: added.length, duplicates: 0 },
      };
    }
    case "redeliver": {
      // What was pruned before a reopen is not remembered.
      const again = model.slice(Math.max(pair.pruned + 1, end - command.newest));
      return {
        got: log.append(
          groupOf(again.map(({ payload, packetId }) => messageOf(payload, { packetId, dup: true }))),
        ),
        wanted: { fromOffset: end, count: 0, duplicates: again.length },
      };
    }
    case "read": {
      const from = Math.max(command.from, pair.pruned + 1);
      return {
        got: log
          .read(from, { ...ALL, messages: command.messages })
          .map(({ offset, payload }) => `${offset} ${text(payload)}`),
        wanted: payloads(model.slice(from, from + command.messages)).map(
          (payload, i) => `${from + i} ${payload}`,
        ),
      };
    }
    case "prune":
      pair.pruned = Math.max(pair.pruned, Math.min(command.through, end - 1));
      return { got: log.prune(pair.pruned), wanted: undefined };
    case "reopen":
      log.close();
      pair.log = openLog(pair.dir);
      return { got: pair.log.stats().damages, wanted: [] };
  }
}

/*
 * Goal: whatever is done to a log, it holds what an array of its messages would.
 * Method: random commands against both. Pruning may keep more than it must, never less.
 */
test("a log behaves as an array of messages, whatever is done to it", () => {
  fc.assert(
    fc.property(commands, (todo) => {
      const dir = mkdtempSync(join(tmpdir(), "sluice-buffer-"));
      const pair: Pair = { dir, log: openLog(dir), model: [], pruned: -1 };
      try {
        for (const command of todo) {
          const { got, wanted } = run(pair, command);
          expect(got).toEqual(wanted);
          expect(pair.log.nextOffset).toBe(pair.model.length);
        }
        expect(pair.log.read(pair.pruned + 1, ALL).map(({ payload }) => text(payload))).toEqual(
          payloads(pair.model.slice(pair.pruned + 1)),
        );
        expect(pair.log.stats().damages).toEqual([]);
      } finally {
        pair.log.close();
        rmSync(dir, { recursive: true });
      }
    }),
    { numRuns: 40 },
  );
});
