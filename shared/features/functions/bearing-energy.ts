import { seriesPower } from "../harmonics.ts";
import type { Samples } from "../samples.ts";
import { BEARING, faultLines, refuseBearing, SHAFT, shaftHz, SPEED } from "./bearing-fault.ts";
import { type FunctionSettings, numberOf, type OneInput, type TwoInputs } from "./function.ts";

function energy(
  input: Samples,
  settings: FunctionSettings,
  turnsPerS: number | undefined,
): number | undefined {
  const lines = faultLines(input, settings, turnsPerS);
  if (lines === undefined) return undefined;
  const power = seriesPower(lines.spectrum, lines.series);
  return power === undefined ? undefined : power / lines.spectrum.scale / lines.spectrum.scale;
}

/**
 * The power of the envelope at the frequency of a bearing's fault and its multiples, by the bearing's geometry
 * (`bearing-fault.ts`) and the shaft's speed `shaft_hz`: `envelope_energy` at that frequency, and undefined as it.
 * Unit: the input's, squared.
 */
export const bearingEnergy: OneInput = {
  name: "bearing_energy",
  kind: "one input",
  summary:
    "The mean square of a waveform's envelope at the frequency of a bearing's `fault` (bpfo, bpfi, bsf, ball, ftf) and its harmonics, at the shaft's speed `shaft_hz`.",
  unit: "input^2",
  settings: { ...BEARING, ...SHAFT },
  refuse: refuseBearing,
  evaluate: (input, { settings }) => energy(input, settings, numberOf(settings, "shaft_hz")),
};

/** As `bearing_energy` at the mean of the second input, the speed; undefined also where that is not above 0. */
export const bearingEnergyAtSpeed: TwoInputs = {
  name: "bearing_energy_at_speed",
  kind: "two inputs",
  summary:
    "As bearing_energy, at the mean of the second input, the shaft's speed in turns per second or, with `speed` rpm, per minute.",
  unit: "input^2",
  settings: { ...BEARING, ...SPEED },
  refuse: refuseBearing,
  evaluate: (input, speed, { settings }) => energy(input, settings, shaftHz(speed, settings)),
};
