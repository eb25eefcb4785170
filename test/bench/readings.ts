import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";

const DEVICES = 100;

/** Readings of one metric from many devices, in order of time, a walk quantised as a sensor would. */
export function readings(readingCount: number, firstOffset = 0): ReadingBlock {
  // Other values for other offsets: a file of repeated values would compress as no real one does.
  const random = seededRandom(7 + firstOffset);
  const values = new Float64Array(DEVICES);
  const at = (fill: (i: number) => number): Float64Array =>
    Float64Array.from({ length: readingCount }, (_, i) => fill(i));
  return {
    count: readingCount,
    series: Array.from({ length: DEVICES }, (_, i) => ({
      device: `d-${i}`,
      deviceType: "pump",
      metric: "vibration",
      unit: "g",
    })),
    seriesIndex: Uint32Array.from({ length: readingCount }, (_, i) => i % DEVICES),
    offset: at((i) => firstOffset + i),
    index: new Uint32Array(readingCount),
    measuredAtUs: at((i) => 1.8e15 + Math.floor((firstOffset + i) / DEVICES) * 100_000),
    receivedAtUs: at((i) => 1.8e15 + Math.floor((firstOffset + i) / DEVICES) * 100_000 + 2_000),
    value: at((i) => {
      const device = i % DEVICES;
      const next = (values[device] ?? 0) + random.normal() * 0.01;
      values[device] = next;
      return Math.round(next * 1_000) / 1_000;
    }),
    clock: new Uint8Array(readingCount),
    withheld: new Uint8Array(readingCount),
  };
}
