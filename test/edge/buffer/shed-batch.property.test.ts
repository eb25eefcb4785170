import { shedBatch } from "@sluice/edge/buffer/shed-batch.ts";
import type { OutboxBatch } from "@sluice/edge/buffer/outbox.ts";
import { numberAt } from "@sluice/shared/codec/columns.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { decodeLanding, encodeLanding } from "@sluice/shared/codec/landing.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { DAY_US, readingBlock, vector } from "../../cloud/lake/rows.ts";

function readings(messages: number): OutboxBatch {
  const body = encodeLanding("readings", [readingBlock(0, messages)]);
  const range = { stream: "readings", from: 0, to: messages - 1, rows: messages * 2 } as const;
  return { ...range, id: 1, key: "readings/0", sha256: sha256Hex(body), body };
}

/** Offset and place of each reading. */
function rowsOf(body: Uint8Array): readonly (readonly [number, number])[] {
  const { count, columns } = decodeLanding("readings", body);
  return Array.from({ length: count }, (_, row) => [
    numberAt(columns["offset"], row),
    numberAt(columns["index"], row),
  ]);
}

const atOf = (offset: number): number => DAY_US + offset * 1_000_000 + 123;

test("however often a batch is thinned out, one of so many of each series is left, all of a kept window, and the rest is told", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.nat(60),
      fc.nat(12),
      fc.subarray([2, 4, 8, 0]),
      (messages, keptFrom, keptCount, steps) => {
        const isKept = (_: string, atUs: number): boolean =>
          atUs >= atOf(keptFrom) && atUs < atOf(keptFrom + keptCount);
        let batch = { ...readings(messages), step: 1 };
        for (const step of steps) {
          const shed = shedBatch(batch, { stepBefore: batch.step, step, isKept, atUs: 5 });
          const gone = batch.rows - shed.batch.rows;
          expect(shed.events.map(({ count, facts }) => [count, facts?.["kept"], facts?.["step"]])).toEqual(
            gone === 0 ? [] : [[gone, shed.batch.rows, step]],
          );
          expect(Object.values(shed.counters)).toEqual(gone === 0 ? [] : [gone]);
          expect(shed.batch).toMatchObject({ key: batch.key, from: 0, to: messages - 1, step });
          expect(shed.batch.sha256).toBe(sha256Hex(shed.batch.body));
          batch = shed.batch;
        }
        const free = Array.from({ length: messages }, (_, n) => n).filter((n) => !isKept("", atOf(n)));
        const left = free.filter((_, nth) => batch.step !== 0 && nth % batch.step === 0);
        const expected = [
          ...left,
          ...Array.from({ length: messages }, (_, n) => n).filter((n) => isKept("", atOf(n))),
        ];
        expect(rowsOf(batch.body)).toEqual(
          expected
            .sort((a, b) => a - b)
            .flatMap((n) => [
              [n, 0],
              [n, 1],
            ]),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("an event says of which stream, range, devices and times rows are gone, for a person and for a program", () => {
  const shed = shedBatch(readings(10), { stepBefore: 1, step: 2, isKept: () => false, atUs: 5 });
  expect(shed.events).toEqual([
    {
      kind: "shed.thinned",
      atUs: 5,
      device: "pump-1",
      offsets: { from: 0, through: 9 },
      count: 10,
      detail:
        "10 of 20 readings were given up because the disk budget was reached; one of 2 of each series is left",
      facts: {
        reason: "disk_budget",
        stream: "readings",
        from: 0,
        through: 9,
        kept: 10,
        step: 2,
        devices: "pump-1",
        deviceCount: 1,
        measuredFromUs: atOf(1),
        measuredThroughUs: atOf(9),
      },
    },
  ]);
  expect(shed.counters).toEqual({ "shed.readings.thinned": 10 });
});

test("of vectors those of kept windows stay, whole", () => {
  const rows = [vector(0), vector(1), vector(2)];
  const body = encodeLanding("features", [rows]);
  const batch = { id: 1, stream: "features", from: 0, to: 2, rows: 3, key: "k", sha256: "0", body } as const;
  const isKept = (_: string, atUs: number): boolean => atUs === rows[1]?.windowStartUs;
  const shed = shedBatch(batch, { stepBefore: 1, step: 0, isKept, atUs: 5 });
  expect(decodeLanding("features", shed.batch.body)).toEqual(
    decodeLanding("features", encodeLanding("features", [rows.slice(1, 2)])),
  );
  expect(shed.events).toMatchObject([
    { kind: "shed.dropped", count: 2, facts: { from: 0, through: 2, kept: 1 } },
  ]);
  expect(shed.events[0]?.offsets, "its numbers are no message offsets").toBeUndefined();
});
