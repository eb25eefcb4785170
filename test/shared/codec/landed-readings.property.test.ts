import { landedReadings } from "@sluice/shared/codec/landed-readings.ts";
import { decodeLanding, encodeLanding } from "@sluice/shared/codec/landing.ts";
import type { ReadingBlock, Series } from "@sluice/shared/contract/reading.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const name = fc.string({ minLength: 1, maxLength: 4 });

const row = fc.record({
  device: name,
  deviceType: name,
  metric: name,
  unit: fc.option(name, { nil: undefined }),
  measuredAtUs: fc.integer({ min: -(2 ** 40), max: 2 ** 52 }),
  receivedAtUs: fc.integer({ min: 0, max: 2 ** 52 }),
  value: fc.double({ noNaN: true, noDefaultInfinity: true }),
  clock: fc.nat({ max: 2 }),
  withheld: fc.nat({ max: 1 }),
});

test("readings that have landed are the block that was encoded, to the bit", () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 30 }), (rows) => {
      const series: Series[] = rows.map(({ device, deviceType, metric, unit }) => ({
        device,
        deviceType,
        metric,
        unit,
      }));
      const block: ReadingBlock = {
        count: rows.length,
        series,
        seriesIndex: Uint32Array.from(rows.keys()),
        offset: Float64Array.from(rows.keys(), (i) => i >> 1),
        index: Uint32Array.from(rows.keys(), (i) => i & 1),
        measuredAtUs: Float64Array.from(rows, (one) => one.measuredAtUs),
        receivedAtUs: Float64Array.from(rows, (one) => one.receivedAtUs),
        value: Float64Array.from(rows, (one) => one.value),
        clock: Uint8Array.from(rows, (one) => one.clock),
        withheld: Uint8Array.from(rows, (one) => one.withheld),
      };
      const landed = landedReadings(decodeLanding("readings", encodeLanding("readings", [block])));
      const { series: landedSeries, seriesIndex, ...columns } = landed;
      const { series: _series, seriesIndex: _index, ...expected } = block;
      expect(columns).toStrictEqual(expected);
      expect([...seriesIndex].map((place) => landedSeries[place])).toEqual(series);
    }),
  );
});
