import { seriesProminence } from "../harmonics.ts";
import type { Samples } from "../samples.ts";
import { BEARING, faultLines, refuseBearing, SHAFT, shaftHz, SPEED } from "./bearing-fault.ts";
import { type FunctionSettings, numberOf, type OneInput, type TwoInputs } from "./function.ts";

function prominence(
  input: Samples,
  settings: FunctionSettings,
  turnsPerS: number | undefined,
): number | undefined {
  const lines = faultLines(input, settings, turnsPerS);
  return lines === undefined ? undefined : seriesProminence(lines.spectrum, lines.series);
}

/**
 * How many times the lines of a bearing's fault are as high as the noise around them in the envelope's spectrum, of all
 * multiples the one that stands out least (`harmonics.ts`): above 10 the fault repeats, whatever the size of the signal.
 * Geometry and speed as in `bearing_energy`; undefined as it and for a constant signal. Unit: 1.
 */
export const bearingProminence: OneInput = {
  name: "bearing_prominence",
  kind: "one input",
  summary:
    "How far the lines of a bearing's `fault` (bpfo, bpfi, bsf, ball, ftf) stand out of the noise of a waveform's envelope spectrum, at the shaft's speed `shaft_hz`; above 10 it is not chance.",
  unit: "1",
  settings: { ...BEARING, ...SHAFT },
  refuse: refuseBearing,
  evaluate: (input, { settings }) => prominence(input, settings, numberOf(settings, "shaft_hz")),
};

/** As `bearing_prominence` at the mean of the second input, the speed; undefined also where that is not above 0. */
export const bearingProminenceAtSpeed: TwoInputs = {
  name: "bearing_prominence_at_speed",
  kind: "two inputs",
  summary:
    "As bearing_prominence, at the mean of the second input, the shaft's speed in turns per second or, with `speed` rpm, per minute.",
  unit: "1",
  settings: { ...BEARING, ...SPEED },
  refuse: refuseBearing,
  evaluate: (input, speed, { settings }) => prominence(input, settings, shaftHz(speed, settings)),
};
