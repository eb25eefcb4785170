import { planCompaction, SORTED, SORTED_TAG } from "@sluice/cloud/lake/compact-plan.ts";
import type { AddFile } from "@sluice/cloud/lake/delta-action.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const LIMITS = { targetBytes: 1_000, filesMin: 4, afterMs: 100, inputBytesMax: 20_000 };

const fileArb = fc
  .record({
    size: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 3_000 })),
    day: fc.constantFrom("2026-11-21", "2026-11-22"),
    modificationTime: fc.nat(200),
    sorted: fc.boolean(),
  })
  .map(({ size, day, modificationTime, sorted }) => ({ size, day, modificationTime, sorted }));

const filesArb: fc.Arbitrary<readonly AddFile[]> = fc.array(fileArb, { maxLength: 30 }).map((files) =>
  files.map(({ size, day, modificationTime, sorted }, i) => ({
    path: `date=${day}/part-${i}.parquet`,
    partitionValues: { date: day },
    size,
    modificationTime,
    dataChange: true,
    ...(sorted ? { tags: { [SORTED_TAG]: SORTED } } : {}),
  })),
);

test("a job has files of one day, each in one job, within what may be read at once", () => {
  fc.assert(
    fc.property(filesArb, fc.nat(400), (files, nowMs) => {
      const taken = new Set<string>();
      for (const job of planCompaction(files, LIMITS, { nowMs })) {
        expect(job.bytes).toBeLessThanOrEqual(LIMITS.inputBytesMax);
        expect(job.bytes).toBe(job.files.reduce((sum, { size }) => sum + size, 0));
        for (const { path, partitionValues } of job.files) {
          expect(partitionValues["date"]).toBe(job.day);
          expect(taken.has(path)).toBe(false);
          taken.add(path);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("the order of the files does not matter", () => {
  fc.assert(
    fc.property(filesArb, (files) => {
      expect(planCompaction(files.toReversed(), LIMITS, { nowMs: 1_000 })).toEqual(
        planCompaction(files, LIMITS, { nowMs: 1_000 }),
      );
    }),
  );
});

test("a day that is compacted again and again comes to rest, and then has no file that was not sorted", () => {
  fc.assert(
    fc.property(filesArb, fc.integer({ min: 30, max: 120 }), (files, shrinkPercent) => {
      let active = [...files];
      for (let round = 0; ; round++) {
        expect(round).toBeLessThan(40);
        const jobs = planCompaction(active, LIMITS, { nowMs: 1_000 });
        if (jobs.length === 0) break;
        for (const [j, { day, files: inputs, bytes, outputs }] of jobs.entries()) {
          active = active.filter((file) => !inputs.includes(file));
          for (let i = 0; i < outputs; i++)
            active.push({
              path: `date=${day}/part-${round}-${j}-${i}.parquet`,
              partitionValues: { date: day },
              size: Math.max(1, Math.round((bytes * shrinkPercent) / 100 / outputs)),
              modificationTime: 500,
              dataChange: false,
              tags: { [SORTED_TAG]: SORTED },
            });
        }
      }
      expect(active.every(({ tags }) => tags?.[SORTED_TAG] === SORTED)).toBe(true);
    }),
    { numRuns: 300 },
  );
});
