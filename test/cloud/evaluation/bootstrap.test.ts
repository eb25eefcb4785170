import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { expect, test } from "vitest";
import { alarmShares, drawBlocks, intervalOf } from "../../../cloud/evaluation/bootstrap.ts";
import { testRows } from "./test-set.ts";

const options = { blockWindows: 10, resamples: 1_000, seed: 1 };
const normalsOf = (count: number, seed: number): number[] => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.next());
};

test("blocks are stretches of one device and one class", () => {
  const rows = testRows(Array<number>(40).fill(0), [...Array<0>(25).fill(0), ...Array<1>(15).fill(1)]);
  const halves = { ...rows, device: rows.device.map((_, row) => (row % 2 === 0 ? "pump-1" : "pump-2")) };
  const { blocks } = drawBlocks(halves, options);
  // Ten seconds each, of two devices: healthy to second 25, faulty from there.
  expect(blocks.healthy).toHaveLength(6);
  expect(blocks.faulty).toHaveLength(4);
  for (const block of [...blocks.healthy, ...blocks.faulty]) {
    expect(new Set(block.map((row) => halves.device[row])).size).toBe(1);
    expect(new Set(block.map((row) => halves.anomalous[row])).size).toBe(1);
  }
});

test("the interval of independent alarms contains the true share, and is as wide as theory says", () => {
  const draws = normalsOf(2_000, 5);
  const rows = testRows(draws);
  const alarms = Uint8Array.from(draws, (draw) => (draw < 0.2 ? 1 : 0));
  const { blocks, healthy } = drawBlocks(rows, options);
  const shares = alarmShares(blocks.healthy, healthy, alarms) ?? new Float64Array(0);
  const { low, high } = intervalOf(shares, 0.95);
  expect(low).toBeLessThan(0.2);
  expect(high).toBeGreaterThan(0.2);
  const theory = 2 * 1.96 * Math.sqrt((0.2 * 0.8) / 2_000);
  expect(high - low).toBeGreaterThan(theory * 0.8);
  expect(high - low).toBeLessThan(theory * 1.2);
});

test("alarms that come in bursts give a wider interval than the same number scattered", () => {
  const width = (alarms: Uint8Array): number => {
    const { blocks, healthy } = drawBlocks(testRows(Array<number>(1_000).fill(0)), options);
    const { low, high } = intervalOf(
      alarmShares(blocks.healthy, healthy, alarms) ?? new Float64Array(0),
      0.95,
    );
    return high - low;
  };
  const scattered = Uint8Array.from({ length: 1_000 }, (_, i) => (i % 10 === 0 ? 1 : 0));
  const bursts = Uint8Array.from({ length: 1_000 }, (_, i) => (Math.floor(i / 10) % 10 === 0 ? 1 : 0));
  expect(width(bursts)).toBeGreaterThan(width(scattered) + 0.05);
});

test("the same seed draws the same blocks, another seed others", () => {
  const rows = testRows(Array<number>(200).fill(0));
  expect(drawBlocks(rows, options)).toEqual(drawBlocks(rows, options));
  expect(drawBlocks(rows, { ...options, seed: 2 }).healthy).not.toEqual(drawBlocks(rows, options).healthy);
});

test("fewer than five blocks of a class give no draws", () => {
  const { healthy, faulty } = drawBlocks(testRows(Array<number>(40).fill(0)), options);
  expect({ healthy, faulty }).toEqual({ healthy: undefined, faulty: undefined });
});
