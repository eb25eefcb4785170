import { type Band, envelopeOf } from "./envelope.ts";
import { type ComplexColumns, powerOfTwoFrom, transformReal } from "./fft.ts";
import type { Samples } from "./samples.ts";
import { type Spectrum, spectrumOf } from "./spectrum.ts";
import { type Waveform, waveformOf } from "./waveform.ts";

/** A spectrum and the power of two that its signal was multiplied by: divide by it, or its square, to come back. */
export interface ScaledSpectrum extends Spectrum {
  readonly scale: number;
}

/** Most bands whose spectra are kept: 1 MiB each for the longest waveform. A view with more has the oldest made again. */
const BANDS_MAX = 8;

/**
 * The spectra of the readings of one input in one window, each computed once, when first asked for.
 *
 * The functions of a view share them as they share the sorted values: see `spectraOf`.
 */
class Spectra {
  readonly generation: number;
  readonly waveform: Waveform | undefined;
  #spectrum: ScaledSpectrum | undefined;
  #bins: ComplexColumns | undefined;
  readonly #envelopes = new Map<string, ScaledSpectrum | undefined>();

  constructor(samples: Samples) {
    this.generation = samples.generation;
    this.waveform = waveformOf(samples);
  }

  /** Of the waveform; undefined where there is none. */
  spectrum(): ScaledSpectrum | undefined {
    if (this.waveform === undefined) return undefined;
    const { values, rateHz, scale } = this.waveform;
    this.#spectrum ??= { ...spectrumOf(values, rateHz), scale };
    return this.#spectrum;
  }

  /** Of the envelope of a band of the waveform minus its mean; undefined where the waveform does not have the band. */
  envelope(band: Band): ScaledSpectrum | undefined {
    const key = `${band.fromHz} ${band.toHz}`;
    if (!this.#envelopes.has(key)) {
      for (const oldest of this.#envelopes.keys())
        if (this.#envelopes.size >= BANDS_MAX) this.#envelopes.delete(oldest);
      this.#envelopes.set(key, this.#envelope(band));
    }
    return this.#envelopes.get(key);
  }

  #envelope(band: Band): ScaledSpectrum | undefined {
    if (this.waveform === undefined) return undefined;
    const { values, rateHz, scale } = this.waveform;
    this.#bins ??= transformReal(padded(values));
    const envelope = envelopeOf(this.#bins, { rateHz, samples: values.length }, band);
    if (envelope === undefined) return undefined;
    removeMean(envelope.values);
    return { ...spectrumOf(envelope.values, envelope.rateHz), scale };
  }
}

/** By the samples object, which each window uses again: what is kept is dropped with its generation. */
const kept = new WeakMap<Samples, Spectra>();

/** The spectra of the readings that the samples show now. */
export function spectraOf(samples: Samples): Spectra {
  const known = kept.get(samples);
  if (known?.generation === samples.generation) return known;
  const spectra = new Spectra(samples);
  kept.set(samples, spectra);
  return spectra;
}

function padded(values: Float64Array): Float64Array {
  const longer = new Float64Array(powerOfTwoFrom(values.length));
  longer.set(values);
  return longer;
}

function removeMean(values: Float64Array): void {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? Number.NaN) - mean;
}
