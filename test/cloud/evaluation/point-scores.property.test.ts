import * as fc from "fast-check";
import { expect, test } from "vitest";
import { scorePoints } from "../../../cloud/evaluation/point-scores.ts";

const windows = fc
  .record({
    sizeS: fc.integer({ min: 1, max: 10 }),
    ends: fc.uniqueArray(fc.integer({ min: 1, max: 60 })),
    seed: fc.nat(),
  })
  .map(({ sizeS, ends, seed }) =>
    ends.map((end) => ({
      startUs: (end - sizeS) * 1_000_000,
      endUs: end * 1_000_000,
      anomalous: ((end * 2_654_435_761 + seed) >>> 3) % 2 === 0,
    })),
  );
const truth = fc.array(
  fc.record({ atUs: fc.integer({ min: 0, max: 60 }).map((s) => s * 1_000_000), anomalous: fc.boolean() }),
);

test("a point takes the prediction of the window that contains it and ends first, as looking at all windows says", () => {
  fc.assert(
    fc.property(windows, truth, (all, points) => {
      const counts = { hits: 0, missed: 0, falseAlarms: 0, quiet: 0 };
      let uncovered = 0;
      for (const { atUs, anomalous } of points) {
        const first = all
          .filter((window) => window.startUs <= atUs && atUs < window.endUs)
          .toSorted((a, b) => a.endUs - b.endUs)[0];
        if (first === undefined) uncovered++;
        const alarmed = first?.anomalous === true;
        counts[anomalous ? (alarmed ? "hits" : "missed") : alarmed ? "falseAlarms" : "quiet"]++;
      }
      expect(scorePoints(all, points)).toEqual({ confusion: counts, uncovered });
    }),
  );
});

test("a prediction never reaches a point after its window", () => {
  const alarm = { startUs: 0, endUs: 1_000_000, anomalous: true };
  const after = { atUs: 1_000_000, anomalous: true };
  expect(scorePoints([alarm], [after])).toEqual({
    confusion: { hits: 0, missed: 1, falseAlarms: 0, quiet: 0 },
    uncovered: 1,
  });
});
