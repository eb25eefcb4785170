import type { Call, FunctionSettings } from "@sluice/shared/features/functions/function.ts";
import { Samples } from "@sluice/shared/features/samples.ts";

export interface Sampling {
  readonly rateHz: number;
  readonly count: number;
  readonly startUs?: number;
}

/** A signal, by the time in seconds, as a sensor samples it: times rounded to microseconds. */
export function waveOf(signal: (atS: number, i: number) => number, sampling: Sampling): Samples {
  const { rateHz, count, startUs = 0 } = sampling;
  const numbers = Array.from({ length: count }, (_, i) => i);
  return wave(
    numbers.map((i) => startUs + Math.round((i * 1_000_000) / rateHz)),
    numbers.map((i) => signal(i / rateHz, i)),
  );
}

/** Readings at these times. */
export function wave(timesUs: readonly number[], values: readonly number[]): Samples {
  const samples = new Samples();
  samples.reset(Float64Array.from(timesUs), Float64Array.from(values), 0, values.length);
  return samples;
}

/** A tone of an amplitude and a frequency; the phase in turns. */
export const tone =
  (amplitude: number, hz: number, phase = 0) =>
  (atS: number): number =>
    amplitude * Math.cos(2 * Math.PI * (hz * atS + phase));

/** What a view says, as a function is called with it. */
export const call = (settings: FunctionSettings = {}): Call => ({ settings, startUs: 0, endUs: 60_000_000 });

/** The multiples and the band that the functions take where a view says nothing. */
export const SERIES = { harmonics: 3, tolerance: 0.01, from_hz: 0, to_hz: 1_000_000 };
