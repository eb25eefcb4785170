import type { HarmonicSeries } from "../harmonics.ts";
import type { Samples } from "../samples.ts";
import { type ScaledSpectrum, spectraOf } from "../spectra.ts";
import { cosineOfTurns } from "../turns.ts";
import { type FunctionSettings, numberOf, oneOf } from "./function.ts";
import { BAND, bandOf, refuseSeries, SERIES, seriesOf } from "./spectral-settings.ts";

/**
 * How often a fault of a rolling bearing is struck, per turn of the shaft, with the outer ring at rest: n balls of
 * diameter d on the pitch diameter D at the contact angle φ, q = d cos φ / D (Randall and Antoni 2011, equations 1 to 4).
 *
 * bpfo, a fault of the outer race: n (1 - q) / 2. bpfi, of the inner race: n (1 + q) / 2. ftf, the cage: (1 - q) / 2.
 * bsf, a ball's spin: D (1 - q²) / 2d. ball, a fault of a ball, which strikes a race twice per spin: twice that.
 */
const ORDERS: Readonly<Record<string, (n: number, q: number, ratio: number) => number>> = {
  bpfo: (n, q) => (n * (1 - q)) / 2,
  bpfi: (n, q) => (n * (1 + q)) / 2,
  bsf: (_, q, ratio) => ((1 - q * q) * ratio) / 2,
  ball: (_, q, ratio) => (1 - q * q) * ratio,
  ftf: (_, q) => (1 - q) / 2,
};

/** What a view says about a bearing and what is looked at. */
export const BEARING = {
  fault: oneOf(Object.keys(ORDERS)),
  balls: { min: 3, max: 1_000, whole: true },
  ball_mm: { min: 0.01, max: 10_000 },
  pitch_mm: { min: 0.01, max: 10_000 },
  contact_deg: { min: 0, max: 89, default: 0 },
  ...SERIES,
  ...BAND,
};

/** The speed of the shaft, where the view says it. */
export const SHAFT = { shaft_hz: { min: 0.001, max: 10_000 } };

/** The unit of the input that measures the speed of the shaft, where one does: turns per second or per minute. */
export const SPEED = { speed: oneOf(["hz", "rpm"], "hz") };

export function refuseBearing(settings: FunctionSettings): string | undefined {
  const [ball, pitch] = [numberOf(settings, "ball_mm"), numberOf(settings, "pitch_mm")];
  if (ball >= pitch) return `ball_mm ${ball} must be below pitch_mm ${pitch}`;
  return refuseSeries(settings);
}

/** Strikes per turn of the shaft. */
export function faultOrder(settings: FunctionSettings): number | undefined {
  const [ball, pitch] = [numberOf(settings, "ball_mm"), numberOf(settings, "pitch_mm")];
  const q = (ball / pitch) * cosineOfTurns(numberOf(settings, "contact_deg") / 360);
  return ORDERS[settings["fault"] ?? ""]?.(numberOf(settings, "balls"), q, pitch / ball);
}

/** The turns per second that the input says on average; undefined where it stands still or turns the other way. */
export function shaftHz(speed: Samples, settings: FunctionSettings): number | undefined {
  const mean = speed.mean();
  if (mean === undefined || mean <= 0) return undefined;
  return settings["speed"] === "rpm" ? mean / 60 : mean;
}

/** The spectrum of the envelope of the band, and the multiples of the fault's frequency that are looked for in it. */
export function faultLines(
  input: Samples,
  settings: FunctionSettings,
  turnsPerS: number | undefined,
): { readonly spectrum: ScaledSpectrum; readonly series: HarmonicSeries } | undefined {
  const [order, spectrum] = [faultOrder(settings), spectraOf(input).envelope(bandOf(settings))];
  if (order === undefined || spectrum === undefined || turnsPerS === undefined) return undefined;
  return { spectrum, series: { hz: order * turnsPerS, ...seriesOf(settings) } };
}
