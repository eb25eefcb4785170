import { WAVEFORM_SAMPLES_MAX, waveformOf } from "@sluice/shared/features/waveform.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { wave, waveOf } from "./spectral-waves.ts";

const ramp = (_: number, i: number): number => i;

test("the rate follows from times that are rounded to microseconds", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 50, 1_000, 12_000, 25_600, 48_000),
      fc.integer({ min: 16, max: 400 }),
      fc.nat(2 ** 50),
      (rateHz, count, startUs) => {
        const waveform = waveformOf(waveOf(ramp, { rateHz, count, startUs }));
        expect(waveform?.values.length).toBe(count);
        // Half a microsecond at both ends.
        const error = (rateHz * rateHz) / (count - 1) / 1_000_000;
        expect(Math.abs((waveform?.rateHz ?? 0) - rateHz)).toBeLessThanOrEqual(error * 1.01);
      },
    ),
  );
});

test("of the readings the longest even row is taken, and a sample that is missing ends a row", () => {
  const times = Array.from({ length: 200 }, (_, i) => Math.round((i * 1_000_000) / 12_000));
  const without = times.filter((_, i) => i !== 60);
  const waveform = waveformOf(
    wave(
      without,
      without.map((_, i) => i),
    ),
  );
  expect(waveform?.values.length).toBe(139);
  expect(waveform?.rateHz).toBeCloseTo(12_000, 0);
  expect((waveform?.values[1] ?? 0) - (waveform?.values[0] ?? 0)).toBe(1);
});

test("bursts with silence between them are rows of their own", () => {
  const bursts = [0, 10_000_000, 20_000_000].flatMap((startUs, n) =>
    Array.from({ length: 64 + 64 * (n % 2) }, (_, i) => startUs + i * 1_000),
  );
  const waveform = waveformOf(
    wave(
      bursts,
      bursts.map((_, i) => i % 5),
    ),
  );
  expect(waveform?.values.length).toBe(128);
  expect(waveform?.rateHz).toBeCloseTo(1_000, 9);
});

test("no waveform is made of less than 16 samples, of readings of one time, or of any at chance times", () => {
  const timed = (times: readonly number[]) =>
    waveformOf(
      wave(
        times,
        times.map((_, i) => i),
      ),
    );
  expect(timed([])).toBeUndefined();
  expect(timed([5])).toBeUndefined();
  expect(timed(Array.from({ length: 15 }, (_, i) => i * 1_000))).toBeUndefined();
  expect(timed(Array.from({ length: 100 }, () => 7))).toBeUndefined();
  expect(timed(Array.from({ length: 100 }, (_, i) => i * i * 1_000))).toBeUndefined();
  expect(timed(Array.from({ length: 100 }, (_, i) => 2 ** (i / 2)))).toBeUndefined();
});

test("two readings of one time end a row", () => {
  const times = Array.from({ length: 100 }, (_, i) => i * 1_000);
  times.splice(30, 0, 30_000);
  const waveform = waveformOf(
    wave(
      times,
      times.map((_, i) => i),
    ),
  );
  expect(waveform?.values.length).toBe(70);
});

test("of more samples than a spectrum takes, the newest are taken", () => {
  const count = WAVEFORM_SAMPLES_MAX + 1_000;
  const waveform = waveformOf(waveOf((_, i) => (i < 1_000 ? 1_000_000 : i % 2), { rateHz: 48_000, count }));
  expect(waveform?.values.length).toBe(WAVEFORM_SAMPLES_MAX);
  expect(Math.max(...(waveform?.values.slice(0, 10) ?? []))).toBeLessThan(1);
});
