import type { Random } from "@sluice/shared/runtime/random.ts";
import type { BearingFrequencies } from "./bearing.ts";
import type { PumpBuild } from "./pump.ts";
import { IMPELLER_BLADES, LINE_HZ } from "./pump.ts";

export const SAMPLE_RATE_HZ = 12_000;
/** One block: 171 ms, about eight turns of the shaft. */
export const BLOCK_SAMPLES = 2_048;

const STANDARD_GRAVITY_M_S2 = 9.80665;

/** The housing's resonance that impacts excite, and how fast it rings out. */
const RESONANCE_HZ = 3_200;
const RESONANCE_DECAY_S = 0.001_2;
/** Balls slip: each impact comes a little early or late. */
const IMPACT_JITTER = 0.01;
/** Impacts in a sound bearing and in one whose race is spalled from end to end, peak in g. */
const IMPACT_SOUND_G = 0.02;
const IMPACT_SPALLED_G = 6;

/** Collapsing bubbles ring higher and shorter. */
const BUBBLE_HZ = 4_600;
const BUBBLE_DECAY_S = 0.000_4;
const BUBBLES_PER_S = 1_500;

/** What a vibration sensor on the drive-end bearing feels. Severities from 0 to 1. */
export interface VibrationSource {
  readonly build: PumpBuild;
  readonly shaftHz: number;
  readonly shaftTurns: number;
  readonly bearing: BearingFrequencies;
  /** Flow over the best flow: away from 1 the flow hits the volute badly. */
  readonly flowRatio: number;
  readonly bearingSeverity: number;
  readonly cavitationSeverity: number;
}

/** A block of BLOCK_SAMPLES accelerations in g, SAMPLE_RATE_HZ apart. */
export function synthesizeVibration(source: VibrationSource, random: Random): Float64Array {
  const block = new Float64Array(BLOCK_SAMPLES);
  const { build, bearingSeverity, cavitationSeverity, flowRatio } = source;
  const noiseG = 0.05 * build.noise * (1 + 2 * (flowRatio - 1) ** 2) + 0.25 * cavitationSeverity;
  for (let i = 0; i < BLOCK_SAMPLES; i++) block[i] = noiseG * random.normal();
  for (const tone of tones(source)) addTone(block, tone);
  addImpacts(block, random, {
    intervalS: 1 / source.bearing.bpfoHz,
    jitter: IMPACT_JITTER,
    amplitudeG: IMPACT_SOUND_G + IMPACT_SPALLED_G * bearingSeverity ** 1.5,
    spread: 0.15,
    resonanceHz: RESONANCE_HZ,
    decayS: RESONANCE_DECAY_S,
  });
  if (cavitationSeverity > 0)
    addImpacts(block, random, {
      intervalS: 1 / BUBBLES_PER_S,
      jitter: 0.8,
      amplitudeG: 2.5 * cavitationSeverity,
      spread: 0.8,
      resonanceHz: BUBBLE_HZ,
      decayS: BUBBLE_DECAY_S,
    });
  return block;
}

interface Tone {
  readonly hz: number;
  readonly velocityRmsMmS: number;
  /** Where in its period it is when the block begins. */
  readonly turns: number;
}

/** What turns with the shaft, and the motor's magnetic pull. */
function tones({ build, shaftHz, shaftTurns, flowRatio, bearingSeverity }: VibrationSource): Tone[] {
  // A spalled bearing lets the shaft move: its harmonics grow last of all.
  const looseness = bearingSeverity ** 2;
  const offBest = (flowRatio - 1) ** 2;
  const turning = (order: number, velocityRmsMmS: number): Tone => ({
    hz: order * shaftHz,
    velocityRmsMmS,
    turns: order * (shaftTurns + 0.13 * order),
  });
  return [
    turning(1, 1.1 * build.imbalance + 0.8 * looseness),
    turning(2, 0.5 * build.misalignment + 1.0 * looseness),
    turning(3, 0.2 * build.misalignment + 0.8 * looseness),
    turning(IMPELLER_BLADES, 0.45 * (1 + 2.5 * offBest)),
    { hz: 2 * LINE_HZ, velocityRmsMmS: 0.1, turns: 2 * shaftTurns },
  ];
}

function addTone(block: Float64Array, { hz, velocityRmsMmS, turns }: Tone): void {
  const peakG = (Math.SQRT2 * velocityRmsMmS * 1e-3 * 2 * Math.PI * hz) / STANDARD_GRAVITY_M_S2;
  const step = (2 * Math.PI * hz) / SAMPLE_RATE_HZ;
  // A pointer that turns by one step a sample: far cheaper than a sine a sample, and as exact over one block.
  const [cosStep, sinStep] = [Math.cos(step), Math.sin(step)];
  let cos = Math.cos(2 * Math.PI * turns);
  let sin = Math.sin(2 * Math.PI * turns);
  for (let i = 0; i < block.length; i++) {
    block[i] = (block[i] ?? 0) + peakG * sin;
    [cos, sin] = [cos * cosStep - sin * sinStep, sin * cosStep + cos * sinStep];
  }
}

interface Impacts {
  readonly intervalS: number;
  /** Standard deviation of an interval, as a share of it. */
  readonly jitter: number;
  readonly amplitudeG: number;
  /** Standard deviation of an amplitude, as a share of it. */
  readonly spread: number;
  readonly resonanceHz: number;
  readonly decayS: number;
}

/** Impacts that each ring a resonance out: A · exp(-t / decay) · sin(2π f t) (McFadden & Smith 1984). */
function addImpacts(block: Float64Array, random: Random, impacts: Impacts): void {
  const { intervalS, jitter, amplitudeG, spread, resonanceHz, decayS } = impacts;
  const step = (2 * Math.PI * resonanceHz) / SAMPLE_RATE_HZ;
  const ringing = Math.ceil(6 * decayS * SAMPLE_RATE_HZ);
  const endS = BLOCK_SAMPLES / SAMPLE_RATE_HZ;
  // From before the block, because the last impact may still ring when it begins.
  let atS = -random.next() * intervalS - 6 * decayS;
  while (atS < endS) {
    const peakG = amplitudeG * (1 + spread * random.normal());
    const first = Math.ceil(atS * SAMPLE_RATE_HZ);
    for (let i = Math.max(0, first); i < Math.min(block.length, first + ringing); i++) {
      const since = i - atS * SAMPLE_RATE_HZ;
      block[i] =
        (block[i] ?? 0) + peakG * Math.exp(-since / (decayS * SAMPLE_RATE_HZ)) * Math.sin(step * since);
    }
    atS += intervalS * Math.max(0.05, 1 + jitter * random.normal());
  }
}
