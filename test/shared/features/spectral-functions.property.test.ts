import { bandEnergy } from "@sluice/shared/features/functions/band-energy.ts";
import { bearingEnergy } from "@sluice/shared/features/functions/bearing-energy.ts";
import { bearingProminence } from "@sluice/shared/features/functions/bearing-prominence.ts";
import { dominantAmplitude } from "@sluice/shared/features/functions/dominant-amplitude.ts";
import { dominantFrequency } from "@sluice/shared/features/functions/dominant-frequency.ts";
import { envelopeEnergy } from "@sluice/shared/features/functions/envelope-energy.ts";
import { envelopeFrequency } from "@sluice/shared/features/functions/envelope-frequency.ts";
import { goertzel } from "@sluice/shared/features/functions/goertzel.ts";
import { spectralCentroid } from "@sluice/shared/features/functions/spectral-centroid.ts";
import { spectralEntropy } from "@sluice/shared/features/functions/spectral-entropy.ts";
import type { Samples } from "@sluice/shared/features/samples.ts";
import { spectraOf } from "@sluice/shared/features/spectra.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { nearly } from "./nearly.ts";
import { call, SERIES, tone, wave, waveOf } from "./spectral-waves.ts";

const BEARING = { fault: "bpfo", balls: 8, ball_mm: 10, pitch_mm: 40, contact_deg: 0, shaft_hz: 20 };
const SETTINGS = { ...SERIES, ...BEARING, hz: 60, rank: 1 };
const FUNCTIONS = [
  bandEnergy,
  bearingEnergy,
  bearingProminence,
  dominantAmplitude,
  dominantFrequency,
  envelopeEnergy,
  envelopeFrequency,
  goertzel,
  spectralCentroid,
  spectralEntropy,
];

const rate = fc.constantFrom(1, 100, 1_000, 12_000);
const count = fc.integer({ min: 32, max: 3_000 });
const phase = fc.double({ min: 0, max: 1, noNaN: true });
const amplitude = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
/** As a share of the sampling rate, with room for the main lobe on both sides. */
const frequency = fc.double({ min: 0.1, max: 0.4, noNaN: true });
const wavy = fc.record({ a: amplitude, share: frequency, turns: phase });

const noise = (seed: number): (() => number) => {
  const random = seededRandom(seed);
  return () => random.normal();
};

test("a pure tone has its frequency within a bin and its amplitude within a few per cent, anywhere between bins", () => {
  fc.assert(
    fc.property(rate, count, wavy, (rateHz, count, { a, share, turns }) => {
      const samples = waveOf(tone(a, share * rateHz, turns), { rateHz, count });
      const found = dominantFrequency.evaluate(samples, call({ rank: 1 }));
      expect(Math.abs((found ?? 0) - share * rateHz)).toBeLessThan(rateHz / count);
      const height = dominantAmplitude.evaluate(samples, call({ rank: 1 })) ?? 0;
      expect(Math.abs(height / a - 1)).toBeLessThan(0.05);
    }),
  );
});

test("all bands together have the mean square of the windowed signal about its mean, and bands add up", () => {
  fc.assert(
    fc.property(fc.integer(), count, frequency, (seed, count, share) => {
      const samples = waveOf(noise(seed), { rateHz: 1_000, count });
      const energy = (from_hz: number, to_hz: number) =>
        bandEnergy.evaluate(samples, call({ from_hz, to_hz })) ?? Number.NaN;
      const { values = new Float64Array(0) } = spectraOf(samples).waveform ?? {};
      const hann = Array.from(values, (_, i) => (1 - Math.cos((2 * Math.PI * i) / count)) / 2);
      const square = values.reduce((sum, value, i) => sum + ((hann[i] ?? 0) * value) ** 2, 0);
      const expected = square / hann.reduce((sum, weight) => sum + weight * weight, 0);
      const whole = energy(0, 1_000_000);
      expect(whole / expected).toBeCloseTo(1, 9);
      const cut = share * 1_000;
      expect((energy(0, cut) + energy(cut, 1_000_000)) / whole).toBeCloseTo(1, 9);
    }),
  );
});

test("Goertzel's amplitude at a bin's frequency is that of the bin", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 5, max: 10 }), frequency, (seed, bits, share) => {
      const count = 2 ** bits;
      const samples = waveOf(noise(seed), { rateHz: 1_024, count });
      const spectrum = spectraOf(samples).spectrum();
      const k = Math.round(share * count);
      // P_k = 2 |X|² / (n · 3n/8), and the amplitude is 2 |X| / (n/2).
      const expected = Math.sqrt((spectrum?.power[k] ?? Number.NaN) * 3);
      const hz = k * (spectrum?.binHz ?? Number.NaN);
      expect(goertzel.evaluate(samples, call({ hz }))).toBeCloseTo(expected, 9);
    }),
  );
});

const scaledBy = (samples: Samples, factor: number, offset: number): Samples => {
  const places = Array.from({ length: samples.count }, (_, i) => i);
  return wave(
    places.map((i) => samples.timeUs(i)),
    places.map((i) => samples.value(i) * factor + offset),
  );
};

test("a power of two scales amplitudes by itself and energies by its square and changes no frequency, to the bit", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: -480, max: 480 }), (seed, exponent) => {
      const samples = waveOf(noise(seed), { rateHz: 1_000, count: 600 });
      const factor = 2 ** exponent;
      const scaled = scaledBy(samples, factor, 0);
      for (const fn of FUNCTIONS) {
        const [before, after] = [samples, scaled].map((each) => fn.evaluate(each, call(SETTINGS)));
        const scale = { input: factor, "input^2": factor * factor, Hz: 1, "1": 1 }[fn.unit] ?? Number.NaN;
        expect([fn.name, after]).toEqual([fn.name, before === undefined ? undefined : before * scale]);
      }
    }),
  );
});

test("an offset, a later start and the sign of a signal change nothing but rounding", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: -1_000, max: 1_000 }),
      fc.nat(2 ** 40),
      (seed, offset, startUs) => {
        const at = { rateHz: 1_000, count: 500 };
        const samples = waveOf(noise(seed), at);
        const moved = scaledBy(waveOf(noise(seed), { ...at, startUs }), -1, offset);
        for (const fn of FUNCTIONS) {
          const [before, after] = [samples, moved].map((each) => fn.evaluate(each, call(SETTINGS)));
          expect([fn.name, (after ?? Number.NaN) / (before ?? Number.NaN)]).toEqual([fn.name, nearly(1, 6)]);
        }
      },
    ),
  );
});

test("the lines of a fault are found in noise where they are, and not in noise alone", () => {
  // The outer race is struck 60 times a second; each strike rings at 1 kHz and dies out within 5 ms.
  const struck = (seed: number): Samples => {
    const quiet = noise(seed);
    return waveOf(
      (atS) => {
        const sinceS = atS % (1 / 60);
        return 0.5 * quiet() + 4 * Math.exp(-sinceS * 600) * Math.sin(2 * Math.PI * 1_000 * sinceS);
      },
      { rateHz: 4_000, count: 4_000 },
    );
  };
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const settings = call(SETTINGS);
      expect(bearingProminence.evaluate(struck(seed), settings)).toBeGreaterThan(10);
      const alone = waveOf(noise(seed), { rateHz: 4_000, count: 4_000 });
      expect(bearingProminence.evaluate(alone, settings)).toBeLessThan(10);
    }),
    { numRuns: 50 },
  );
});

const anyFinite = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1e308, -1.7e308, 5e-324, -5e-324, 2 ** 53, Number.MAX_VALUE),
  fc.integer({ min: -5, max: 5 }),
);

test("whatever the values and the times, a function gives a number that is not NaN or nothing", () => {
  fc.assert(
    fc.property(
      fc.array(anyFinite, { maxLength: 80 }),
      fc.array(fc.constantFrom(0, 1, 999, 1_000, 1_001, 90_000), { minLength: 1, maxLength: 4 }),
      fc.double({ min: 0, max: 500, noNaN: true }),
      (values, gaps, hz) => {
        let atUs = 0;
        const times = values.map((_, i) => (atUs += gaps[i % gaps.length] ?? 0));
        const samples = wave(times, values);
        for (const fn of FUNCTIONS) {
          const value = fn.evaluate(samples, call({ ...SETTINGS, hz, harmonics: 1 }));
          expect([fn.name, Number.isNaN(value)]).toEqual([fn.name, false]);
        }
      },
    ),
    { numRuns: 1_000 },
  );
});

test("what the functions share about a window never leaks into the next one", () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 2, maxLength: 4 }), (seeds) => {
      const shared = wave([], []);
      for (const seed of seeds) {
        const at = { rateHz: 1_000, count: 100 + (Math.abs(seed) % 100) };
        const random = noise(seed);
        const values = Float64Array.from({ length: at.count }, random);
        const times = Float64Array.from(values, (_, i) => i * 1_000);
        shared.reset(times, values, 0, at.count);
        const fresh = wave([...times], [...values]);
        for (const fn of FUNCTIONS)
          expect([fn.name, fn.evaluate(shared, call(SETTINGS))]).toEqual([
            fn.name,
            fn.evaluate(fresh, call(SETTINGS)),
          ]);
      }
    }),
  );
});
