// A window that is put together from panes must say what it says when it is measured as a whole: exactly where the
// arithmetic is exact, and nearly where it rounds.
import { Panes } from "@sluice/shared/features/panes.ts";
import { Samples } from "@sluice/shared/features/samples.ts";
import { SortedReadings } from "@sluice/shared/features/sorted-readings.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const PANE_US = 1_000;

interface Drawn {
  readonly times: readonly number[];
  readonly values: readonly number[];
}

function readingsOf({ times, values }: Drawn): SortedReadings {
  const readings = new SortedReadings();
  for (const [i, timeUs] of times.entries()) readings.insert(timeUs, values[i] ?? 0);
  return readings;
}

const drawn = (value: fc.Arbitrary<number>): fc.Arbitrary<Drawn> =>
  fc
    .array(fc.record({ time: fc.integer({ min: 0, max: 19_999 }), value }), {
      minLength: 300,
      maxLength: 600,
    })
    .map((all) => ({ times: all.map(({ time }) => time), values: all.map((each) => each.value) }));

const spans = fc.oneof(
  fc.record({ from: fc.nat(13), panes: fc.integer({ min: 1, max: 6 }) }).map(({ from, panes }) => ({
    startUs: from * PANE_US,
    endUs: (from + panes) * PANE_US,
  })),
  fc
    .record({ startUs: fc.nat(14_000), length: fc.integer({ min: 1_500, max: 4_000 }) })
    .map(({ startUs, length }) => ({
      startUs,
      endUs: startUs + length,
    })),
);

interface Said {
  readonly exact: readonly unknown[];
  readonly near: Readonly<Record<string, number | undefined>>;
}

function say(samples: Samples): Said {
  const { cubes, fourths } = samples.moments();
  const { squares: timeSquares, products } = samples.trend();
  const magnitudes = samples.magnitudes();
  return {
    exact: [
      samples.count,
      samples.min(),
      samples.max(),
      samples.scale,
      samples.signChanges(),
      [...samples.sorted()],
    ],
    near: {
      sum: samples.sum(),
      mean: samples.mean(),
      squares: samples.squares(),
      cubes,
      fourths,
      timeSquares,
      products,
      magnitude: magnitudes.total,
      power: magnitudes.squares,
    },
  };
}

test("a window from panes has the counts, extremes, signs and order of the whole, and its sums but for rounding", () => {
  let shared = 0;
  fc.assert(
    fc.property(drawn(fc.integer({ min: -50, max: 50 })), spans, (all, span) => {
      const readings = readingsOf(all);
      const [whole, paned] = [new Samples(), new Samples()];
      whole.select(readings, span, undefined);
      fc.pre(whole.count > 1);
      paned.select(readings, span, new Panes(PANE_US, 8));
      const [expected, made] = [say(whole), say(paned)];
      expect(made.exact).toEqual(expected.exact);
      if (made.near["cubes"] !== expected.near["cubes"]) shared += 1;
      for (const [name, value = Number.NaN] of Object.entries(expected.near)) {
        const scale = Math.max(1, Math.abs(value), name === "products" ? 1e6 : 0);
        const error = Math.abs((made.near[name] ?? Number.NaN) - value) / scale;
        expect({ name, isNear: error < 1e-9 }).toEqual({ name, isNear: true });
      }
    }),
    { numRuns: 400 },
  );
  expect(shared).toBeGreaterThan(20);
});

test("values whose squares are no doubles are measured as a whole, with the same bits", () => {
  const extreme = fc.constantFrom(1e308, -1e308, 1e200, 5e-324, -1e-300, 0, 1e-200);
  fc.assert(
    fc.property(drawn(extreme), spans, fc.constantFrom(1, 1e-100), (all, span, factor) => {
      const readings = readingsOf({ ...all, values: all.values.map((value) => value * factor + 0) });
      const [whole, paned] = [new Samples(), new Samples()];
      whole.select(readings, span, undefined);
      fc.pre(whole.count > 1 && whole.scale !== 1);
      paned.select(readings, span, new Panes(PANE_US, 8));
      const { sum, mean, ...expected } = say(whole).near;
      expect(say(paned).near).toMatchObject(
        mean === paned.mean() && sum === paned.sum() ? expected : { magnitude: expected["magnitude"] },
      );
    }),
    { numRuns: 200 },
  );
});

test("what panes remember never shows: a late reading makes them anew, and any window before leaves no trace", () => {
  fc.assert(
    fc.property(
      drawn(fc.double({ min: -1e6, max: 1e6, noNaN: true })),
      fc.array(fc.record({ span: spans, late: fc.option(fc.nat(19_999), { nil: undefined }) }), {
        minLength: 1,
        maxLength: 12,
      }),
      (all, windows) => {
        const readings = readingsOf(all);
        const panes = new Panes(PANE_US, 6); // Their places are used again by other panes.
        const samples = new Samples();
        for (const { span, late } of windows) {
          if (late !== undefined) {
            readings.insert(late, late);
            panes.invalidate(late);
          }
          samples.select(readings, span, panes);
          const made = JSON.stringify(say(samples));
          const fresh = new Samples();
          fresh.select(readings, span, new Panes(PANE_US, 6));
          expect(made).toBe(JSON.stringify(say(fresh)));
        }
      },
    ),
    { numRuns: 200 },
  );
});
