import { seededRandom } from "@sluice/shared/runtime/random.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { bearingFrequencies, BEARING_6309 } from "../../../simulators/plant/bearing.ts";
import { fourier } from "../../../simulators/plant/fourier.ts";
import { measureVibration } from "../../../simulators/plant/vibration-measures.ts";
import { BLOCK_SAMPLES, SAMPLE_RATE_HZ, synthesizeVibration } from "../../../simulators/plant/vibration.ts";
import type { VibrationSource } from "../../../simulators/plant/vibration.ts";

const SHAFT_HZ = 49.3;
const GRAVITY_MM_S2 = 9_806.65;

const BUILD = {
  head: 1,
  efficiency: 1,
  friction: 1,
  imbalance: 1,
  misalignment: 1,
  noise: 1,
  phase: 0,
};

function blockOf(changes: Partial<VibrationSource> = {}, seed = 1): Float64Array {
  const source = {
    build: BUILD,
    shaftHz: SHAFT_HZ,
    shaftTurns: 0,
    bearing: bearingFrequencies(BEARING_6309, SHAFT_HZ),
    flowRatio: 1,
    bearingSeverity: 0,
    cavitationSeverity: 0,
    ...changes,
  };
  return synthesizeVibration(source, seededRandom(seed));
}

const measure = (block: Float64Array) => measureVibration(block, SAMPLE_RATE_HZ);

test("bearing frequencies are those that Case Western Reserve University gives for its SKF 6205", () => {
  // Multiples of the shaft's speed: 3.5848, 5.4152, 0.39828; its "rolling element" 4.7135 counts both races.
  const sixTwoZeroFive = {
    ballCount: 9,
    ballDiameterMm: 7.94,
    pitchDiameterMm: 39.04,
    contactAngleRad: 0,
  };
  const { bpfoHz, bpfiHz, bsfHz, ftfHz } = bearingFrequencies(sixTwoZeroFive, 1);
  expect(bpfoHz).toBeCloseTo(3.5848, 3);
  expect(bpfiHz).toBeCloseTo(5.4152, 3);
  expect(ftfHz).toBeCloseTo(0.39828, 3);
  expect(2 * bsfHz).toBeCloseTo(4.7135, 3);
});

test("the Fourier transform is the sum that defines it, and its inverse undoes it", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 5 }).chain((bits) =>
        fc.array(fc.tuple(fc.integer({ min: -100, max: 100 }), fc.integer({ min: -100, max: 100 })), {
          minLength: 2 ** bits,
          maxLength: 2 ** bits,
        }),
      ),
      (samples) => {
        const n = samples.length;
        const signal = {
          re: Float64Array.from(samples, ([re]) => re),
          im: Float64Array.from(samples, ([, im]) => im),
        };
        fourier(signal);
        for (let k = 0; k < n; k++) {
          let [re, im] = [0, 0];
          for (const [i, [a, b]] of samples.entries()) {
            const angle = (-2 * Math.PI * k * i) / n;
            re += a * Math.cos(angle) - b * Math.sin(angle);
            im += a * Math.sin(angle) + b * Math.cos(angle);
          }
          expect(signal.re[k]).toBeCloseTo(re, 6);
          expect(signal.im[k]).toBeCloseTo(im, 6);
        }
        fourier(signal, true);
        for (const [i, [re, im]] of samples.entries()) {
          expect(signal.re[i]).toBeCloseTo(re, 6);
          expect(signal.im[i]).toBeCloseTo(im, 6);
        }
      },
    ),
    { numRuns: 50 },
  );
});

test("a pure tone is measured as the textbook says, whatever its phase", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 40, max: 900, noNaN: true }),
      fc.double({ min: 0, max: 6.3, noNaN: true }),
      (hz, phase) => {
        const tone = Float64Array.from({ length: BLOCK_SAMPLES }, (_, i) =>
          Math.sin((2 * Math.PI * hz * i) / SAMPLE_RATE_HZ + phase),
        );
        const { rmsG, velocityMmS, crest } = measure(tone);
        expect(Math.abs(rmsG / Math.SQRT1_2 - 1)).toBeLessThan(0.06);
        const velocity = (Math.SQRT1_2 * GRAVITY_MM_S2) / (2 * Math.PI * hz);
        expect(Math.abs(velocityMmS / velocity - 1)).toBeLessThan(0.06);
        expect(Math.abs(crest / Math.SQRT2 - 1)).toBeLessThan(0.06);
      },
    ),
  );
});

test("a tone above 1,000 Hz is no vibration severity, and silence measures as nothing", () => {
  const tone = Float64Array.from({ length: BLOCK_SAMPLES }, (_, i) => Math.sin((2 * Math.PI * i) / 6));
  expect(measure(tone).velocityMmS).toBeLessThan(0.01);
  const silence = measure(new Float64Array(BLOCK_SAMPLES));
  expect(silence).toEqual({ rmsG: 0, velocityMmS: 0, envelopeG: 0, kurtosis: 0, crest: 0 });
});

test("a sound pump is in zone A or B of ISO 20816 and looks like noise and tones", () => {
  for (let seed = 0; seed < 20; seed++) {
    const { velocityMmS, kurtosis } = measure(blockOf({ shaftTurns: seed / 20 }, seed));
    expect(velocityMmS).toBeGreaterThan(0.8);
    expect(velocityMmS).toBeLessThan(2.8);
    expect(kurtosis).toBeLessThan(3.6);
  }
});

test("wear shows first in the envelope, then in kurtosis and RMS, and in the velocity last", () => {
  const at = (bearingSeverity: number) => {
    const all = Array.from({ length: 10 }, (_, seed) => measure(blockOf({ bearingSeverity }, seed)));
    const mean = (pick: (m: (typeof all)[number]) => number): number =>
      all.reduce((sum, m) => sum + pick(m), 0) / all.length;
    return {
      envelope: mean((m) => m.envelopeG),
      rms: mean((m) => m.rmsG),
      kurtosis: mean((m) => m.kurtosis),
      velocity: mean((m) => m.velocityMmS),
    };
  };
  const [sound, early, late, ruined] = [at(0), at(0.15), at(0.5), at(1)];
  expect(early.envelope / sound.envelope).toBeGreaterThan(2);
  expect(early.rms / sound.rms).toBeLessThan(1.3);
  expect(late.kurtosis).toBeGreaterThan(6);
  expect(late.rms / sound.rms).toBeGreaterThan(2);
  expect(late.velocity / sound.velocity).toBeLessThan(1.5);
  expect(ruined.velocity / sound.velocity).toBeGreaterThan(1.6);
});

test("the envelope of a worn bearing repeats at the ball pass frequency of the outer race", () => {
  // Method: square the band above the tones, and look for the strongest line between 50 Hz and 250 Hz.
  const { bpfoHz } = bearingFrequencies(BEARING_6309, SHAFT_HZ);
  const power = new Float64Array(BLOCK_SAMPLES / 2);
  for (let seed = 0; seed < 8; seed++) {
    const block = blockOf({ bearingSeverity: 0.6 }, seed);
    const signal = { re: block.map((value) => value ** 2), im: new Float64Array(BLOCK_SAMPLES) };
    fourier(signal);
    for (let i = 0; i < power.length; i++)
      power[i] = (power[i] ?? 0) + (signal.re[i] ?? 0) ** 2 + (signal.im[i] ?? 0) ** 2;
  }
  const binHz = SAMPLE_RATE_HZ / BLOCK_SAMPLES;
  const from = Math.round(50 / binHz);
  const band = power.slice(from, Math.round(250 / binHz));
  const strongest = (from + band.indexOf(Math.max(...band))) * binHz;
  expect(Math.abs(strongest - bpfoHz)).toBeLessThan(binHz);
});

test("cavitation is broadband: it raises RMS and envelope but hardly the velocity", () => {
  const sound = measure(blockOf());
  const cavitating = measure(blockOf({ cavitationSeverity: 1 }));
  expect(cavitating.rmsG / sound.rmsG).toBeGreaterThan(4);
  expect(cavitating.envelopeG / sound.envelopeG).toBeGreaterThan(4);
});
