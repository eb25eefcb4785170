// What the functions of waveforms give, by signals whose spectrum is worked out by hand.
//
// 16 samples in Hann's window at 16 Hz, no padding: Σw = 8, Σw² = 6. A tone A cos(2π 4 t) has X_4 = A Σw / 2 = 4A and,
// because w is 1/2 - cos/2, X_3 = X_5 = -2A. So P_4 = 2 · 16A² / (16 · 6) = A² / 3, P_3 = P_5 = A² / 12, ΣP = A² / 2.
import { bandEnergy } from "@sluice/shared/features/functions/band-energy.ts";
import { bearingEnergy, bearingEnergyAtSpeed } from "@sluice/shared/features/functions/bearing-energy.ts";
import { faultOrder, refuseBearing } from "@sluice/shared/features/functions/bearing-fault.ts";
import {
  bearingProminence,
  bearingProminenceAtSpeed,
} from "@sluice/shared/features/functions/bearing-prominence.ts";
import { dominantAmplitude } from "@sluice/shared/features/functions/dominant-amplitude.ts";
import { dominantFrequency } from "@sluice/shared/features/functions/dominant-frequency.ts";
import { envelopeEnergy } from "@sluice/shared/features/functions/envelope-energy.ts";
import { envelopeFrequency } from "@sluice/shared/features/functions/envelope-frequency.ts";
import { goertzel } from "@sluice/shared/features/functions/goertzel.ts";
import { spectralCentroid } from "@sluice/shared/features/functions/spectral-centroid.ts";
import { spectralEntropy } from "@sluice/shared/features/functions/spectral-entropy.ts";
import { refuseBand, refuseSeries } from "@sluice/shared/features/functions/spectral-settings.ts";
import type { Samples } from "@sluice/shared/features/samples.ts";
import { expect, test } from "vitest";
import { call, SERIES, tone, wave, waveOf } from "./spectral-waves.ts";

const A = 3;
const short = waveOf((atS) => 7 + tone(A, 4)(atS), { rateHz: 16, count: 16 });

test("a tone of amplitude A on a bin has A²/3 in it and A²/12 in each neighbour", () => {
  const energy = (from_hz: number, to_hz: number) => bandEnergy.evaluate(short, call({ from_hz, to_hz }));
  expect(energy(4, 5)).toBeCloseTo((A * A) / 3, 12);
  expect(energy(3, 4)).toBeCloseTo((A * A) / 12, 12);
  expect(energy(5, 6)).toBeCloseTo((A * A) / 12, 12);
  expect(energy(0, 100)).toBeCloseTo((A * A) / 2, 12); // The mean of 7 is in no band.
  expect(energy(0, 3)).toBeCloseTo(0, 12);
  expect(energy(8.5, 9)).toBeUndefined(); // Above half the rate.
});

test("the centroid, the lines and the entropy of a tone are those worked out by hand", () => {
  expect(spectralCentroid.evaluate(short, call())).toBeCloseTo(4, 12);
  expect(dominantFrequency.evaluate(short, call({ rank: 1 }))).toBeCloseTo(4, 12);
  expect(dominantAmplitude.evaluate(short, call({ rank: 1 }))).toBeCloseTo(A, 12);
  expect(goertzel.evaluate(short, call({ hz: 4 }))).toBeCloseTo(A, 12);
  expect(goertzel.evaluate(short, call({ hz: 5 }))).toBeCloseTo(A / 2, 12);
  expect(goertzel.evaluate(short, call({ hz: 8 }))).toBeUndefined();
  // -(2/3 ln 2/3 + 2 · 1/6 ln 1/6) / ln 9
  expect(spectralEntropy.evaluate(short, call())).toBeCloseTo(0.867_563_2 / 2.197_224_6, 7);
});

test("two tones are the lines of rank 1 and 2, the higher one first", () => {
  const two = waveOf((atS) => tone(2, 50)(atS) + tone(5, 120, 0.1)(atS), { rateHz: 1_000, count: 1_000 });
  const line = (rank: number) => dominantFrequency.evaluate(two, call({ rank }));
  expect(line(1)).toBeCloseTo(120, 0);
  expect(line(2)).toBeCloseTo(50, 0);
  expect(dominantAmplitude.evaluate(two, call({ rank: 1 }))).toBeCloseTo(5, 2);
  expect(dominantAmplitude.evaluate(two, call({ rank: 2 }))).toBeCloseTo(2, 2);
});

// Sampled at 1,024 Hz for a second, all on bins: the envelope of the modulated tone is A (1 + a cos(2π f t)).
const modulated = (hz: number): Samples =>
  waveOf((atS) => (1 + tone(0.5, hz)(atS)) * tone(A, 200)(atS), { rateHz: 1_024, count: 1_024 });

test("the envelope of a modulated tone has the frequency and the power of the modulation", () => {
  const settings = { ...SERIES, harmonics: 1, hz: 16, from_hz: 150, to_hz: 250 };
  expect(envelopeFrequency.evaluate(modulated(16), call({ ...settings, rank: 1 }))).toBeCloseTo(16, 4);
  expect(envelopeEnergy.evaluate(modulated(16), call(settings))).toBeCloseTo((A * 0.5) ** 2 / 2, 9);
  expect(envelopeEnergy.evaluate(modulated(16), call({ ...settings, hz: 10 }))).toBeCloseTo(0, 9);
  const elsewhere = { ...settings, from_hz: 300, to_hz: 400 };
  expect(envelopeEnergy.evaluate(modulated(16), call(elsewhere))).toBeCloseTo(0, 9);
});

test("of more bands than are kept at a time each has its own envelope", () => {
  const rough = (): Samples => waveOf((_, i) => (i * i * 7_919) % 101, { rateHz: 1_024, count: 1_024 });
  const samples = rough();
  const energies = (again: Samples): readonly (number | undefined)[] =>
    Array.from({ length: 20 }, (_, i) =>
      envelopeEnergy.evaluate(again, call({ ...SERIES, harmonics: 1, hz: 16, from_hz: 100 + i, to_hz: 300 })),
    );
  const kept = energies(samples);
  expect(energies(samples)).toEqual(kept);
  expect(kept).toEqual(kept.map((_, i) => energies(rough())[i]));
  expect(new Set(kept).size).toBe(20);
});

test("an envelope needs a band that the waveform has, and its multiples room below the envelope's half rate", () => {
  const settings = { ...SERIES, hz: 16 };
  const energy = (more: object) => envelopeEnergy.evaluate(modulated(16), call({ ...settings, ...more }));
  expect(energy({})).not.toBeUndefined();
  expect(energy({ from_hz: 600, to_hz: 700 })).toBeUndefined();
  expect(energy({ from_hz: 200, to_hz: 205 })).toBeUndefined();
  expect(energy({ hz: 400 })).toBeUndefined();
  expect(energy({ hz: 3 })).toBeUndefined(); // Three cycles: its multiples cannot be told apart.
});

// Eight balls of 10 mm on 40 mm: q = 1/4.
const BEARING = { balls: 8, ball_mm: 10, pitch_mm: 40, contact_deg: 0, ...SERIES };

test("the frequencies of a bearing's faults follow from its geometry", () => {
  const orders = (settings: object) =>
    ["bpfo", "bpfi", "bsf", "ball", "ftf"].map((fault) => faultOrder({ ...BEARING, ...settings, fault }));
  expect(orders({})).toEqual([3, 5, 1.875, 3.75, 0.375]);
  const tilted = orders({ contact_deg: 60 }); // q = 1/8.
  expect(tilted.map((order) => order?.toFixed(12))).toEqual(
    [3.5, 4.5, 1.968_75, 3.9375, 0.4375].map((order) => order.toFixed(12)),
  );
  // SKF 6205-2RS JEM, as the Bearing Data Center of Case Western Reserve University gives it: 9 balls, 0.3126 in on
  // 1.537 in.
  const skf = orders({ balls: 9, ball_mm: 7.94, pitch_mm: 39.04 });
  const published = [3.5848, 5.4152, 4.7135 / 2, 4.7135, 0.398_28];
  for (const [i, order] of skf.entries()) expect(order).toBeCloseTo(published[i] ?? Number.NaN, 3);
});

test("the energy at a bearing's fault is that of the envelope there, with the speed said or measured", () => {
  // The outer race of a shaft that turns 16/3 times a second is struck 16 times.
  const settings = { ...BEARING, harmonics: 1, fault: "bpfo", from_hz: 150, to_hz: 250 };
  const expected = (A * 0.5) ** 2 / 2;
  const said = bearingEnergy.evaluate(modulated(16), call({ ...settings, shaft_hz: 16 / 3 }));
  expect(said).toBeCloseTo(expected, 9);
  const rpm = wave([0, 500_000, 900_000], [310, 320, 330]);
  const measured = (speed: Samples, unit: string) =>
    bearingEnergyAtSpeed.evaluate(modulated(16), speed, call({ ...settings, speed: unit }));
  expect(measured(rpm, "rpm")).toBeCloseTo(expected, 9);
  expect(measured(wave([0], [16 / 3]), "hz")).toBeCloseTo(expected, 9);
  const inner = bearingEnergy.evaluate(modulated(16), call({ ...settings, fault: "bpfi", shaft_hz: 16 / 3 }));
  expect(inner).toBeCloseTo(0, 9);
  expect(measured(wave([], []), "hz")).toBeUndefined();
  expect(measured(wave([0], [0]), "hz")).toBeUndefined();
  expect(measured(wave([0], [-5]), "hz")).toBeUndefined();
});

test("a line stands out by its height over the median around it, and of several multiples the least counts", () => {
  // A comb of impulses every 64 samples has all multiples of 16 Hz; a pure modulation has the first one only.
  const comb = waveOf((_, i) => (i % 64 < 2 ? 1 : 0) + ((i * 7_919) % 64) / 1_000, {
    rateHz: 1_024,
    count: 4_096,
  });
  const settings = { ...BEARING, fault: "bpfo" };
  const prominence = (samples: Samples, more: object) =>
    bearingProminence.evaluate(samples, call({ ...settings, shaft_hz: 16 / 3, ...more }));
  expect(prominence(comb, {})).toBeGreaterThan(10);
  expect(prominence(comb, { fault: "bpfi" })).toBeLessThan(10);
  const speed = wave([0], [16 / 3]);
  expect(bearingProminenceAtSpeed.evaluate(comb, speed, call({ ...settings, speed: "hz" }))).toBe(
    prominence(comb, {}),
  );
});

test("a constant signal has no energy, and no centroid, entropy, line or prominence", () => {
  const constant = waveOf(() => 0.1, { rateHz: 1_000, count: 2_000 });
  expect(bandEnergy.evaluate(constant, call({ from_hz: 0, to_hz: 500 }))).toBe(0);
  expect(goertzel.evaluate(constant, call({ hz: 50 }))).toBe(0);
  expect(envelopeEnergy.evaluate(constant, call({ ...SERIES, hz: 20 }))).toBe(0);
  for (const fn of [
    spectralCentroid,
    spectralEntropy,
    dominantFrequency,
    dominantAmplitude,
    envelopeFrequency,
    bearingProminence,
  ])
    expect([
      fn.name,
      fn.evaluate(constant, call({ ...BEARING, rank: 1, fault: "bpfo", shaft_hz: 10 })),
    ]).toEqual([fn.name, undefined]);
});

test("settings that do not go together are refused with the reason", () => {
  expect(refuseBand({ from_hz: 10, to_hz: 10 })).toBe("from_hz 10 must be below to_hz 10");
  expect(refuseBand({ from_hz: 10, to_hz: 11 })).toBeUndefined();
  expect(refuseSeries({ ...SERIES, harmonics: 10, tolerance: 0.05 })).toContain("overlap");
  expect(refuseBearing({ ...BEARING, ball_mm: 40 })).toBe("ball_mm 40 must be below pitch_mm 40");
  expect(refuseBearing({ ...BEARING, from_hz: 5, to_hz: 1 })).toBe("from_hz 5 must be below to_hz 1");
  expect(refuseBearing(BEARING)).toBeUndefined();
});
