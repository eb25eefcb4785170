import type { Random } from "@sluice/shared/runtime/random.ts";

/** A centrifugal pump on a four-wire 400 V, 50 Hz supply: a two-pole motor of 22 kW, 100 m³/h against 50 m. */
const RATED = {
  lineHz: 50,
  polePairs: 1,
  slip: 0.018,
  shaftPowerW: 22_000,
  voltageV: 400,
  motorEfficiency: 0.93,
  magnetizingCurrentA: 13,
  speedRpm: 2_950,
  flowM3h: 100,
  shutOffHeadM: 60,
  headM: 50,
  staticHeadM: 15,
  efficiency: 0.76,
  suctionBar: 0.4,
} as const;

export const LINE_HZ = RATED.lineHz;
export const IMPELLER_BLADES = 6;

const WATER_KG_M3 = 998;
const WATER_J_KG_K = 4_182;
const GRAVITY_M_S2 = 9.81;

/** The rotor follows its load within a fraction of a second, the iron within minutes, the water in between. */
const SPEED_LAG_S = 0.3;
const BEARING_LAG_S = 300;
const FLUID_LAG_S = 60;

/** How one pump differs from the next of its kind. Factors around 1. */
export interface PumpBuild {
  readonly head: number;
  readonly efficiency: number;
  readonly friction: number;
  readonly imbalance: number;
  readonly misalignment: number;
  readonly noise: number;
  /** From 0 to 1: where in the demand profile it is. */
  readonly phase: number;
}

export function buildPump(random: Random, phase: number): PumpBuild {
  const around = (spread: number): number => 1 + spread * Math.max(-2, Math.min(2, random.normal()));
  return {
    head: around(0.02),
    efficiency: around(0.01),
    friction: around(0.05),
    imbalance: around(0.15),
    misalignment: around(0.15),
    noise: around(0.08),
    phase,
  };
}

/** What a pump remembers from one moment to the next. */
export interface PumpState {
  readonly speedRpm: number;
  readonly bearingTempC: number;
  readonly fluidTempC: number;
  /** Turns of the shaft, modulo 1. */
  readonly shaftTurns: number;
}

/** What the pump is asked for and what ails it. Severities from 0 to 1. */
export interface PumpLoad {
  readonly demand: number;
  readonly ambientC: number;
  readonly bearing: number;
  readonly cavitation: number;
  readonly valve: number;
}

/** What a pump does at a moment, in true values. */
export interface PumpPoint {
  readonly state: PumpState;
  readonly flowM3h: number;
  readonly headM: number;
  readonly pressureBar: number;
  readonly shaftPowerW: number;
  readonly currentA: number;
  /** Flow over the best flow at this speed. */
  readonly flowRatio: number;
}

/** The steady state at a load: where a pump is that has run for long. */
export function settledPump(build: PumpBuild, load: PumpLoad): PumpState {
  let state: PumpState = {
    speedRpm: RATED.speedRpm,
    bearingTempC: load.ambientC,
    fluidTempC: load.ambientC,
    shaftTurns: build.phase,
  };
  // Speed and load depend on each other; a few long steps meet at the fixed point.
  for (let i = 0; i < 20; i++) state = stepPump(build, state, load, 3_600).state;
  return state;
}

/** The pump `dtS` seconds later under a load. */
export function stepPump(build: PumpBuild, state: PumpState, load: PumpLoad, dtS: number): PumpPoint {
  const speedRatio = state.speedRpm / RATED.speedRpm;
  const { flowM3h, headM } = operatingPoint(build, speedRatio, load);
  const flowRatio = flowM3h / (RATED.flowM3h * speedRatio);
  const hydraulicW = WATER_KG_M3 * GRAVITY_M_S2 * (flowM3h / 3_600) * headM;
  const efficiency =
    RATED.efficiency * build.efficiency * (1 - 0.15 * load.cavitation) * (1 - 0.9 * (1 - flowRatio) ** 2);
  const bearingLossW = 250 * build.friction * speedRatio * (1 + 1.5 * load.bearing ** 1.5);
  const shaftPowerW = hydraulicW / Math.max(0.15, efficiency) + bearingLossW;
  const synchronousRpm = (60 * RATED.lineHz) / RATED.polePairs;
  // Near its rated point an induction motor's slip is proportional to its load.
  const speedTarget = synchronousRpm * (1 - (RATED.slip * shaftPowerW) / RATED.shaftPowerW);
  const fluidTarget =
    0.6 * load.ambientC + 6 + (shaftPowerW - hydraulicW) / ((WATER_KG_M3 * flowM3h * WATER_J_KG_K) / 3_600);
  const bearingTarget = 0.7 * load.ambientC + 0.3 * state.fluidTempC + 0.09 * bearingLossW;
  const speedRpm = lag(state.speedRpm, speedTarget, dtS / SPEED_LAG_S);
  return {
    state: {
      speedRpm,
      bearingTempC: lag(state.bearingTempC, bearingTarget, dtS / BEARING_LAG_S),
      fluidTempC: lag(state.fluidTempC, fluidTarget, dtS / FLUID_LAG_S),
      shaftTurns: (state.shaftTurns + ((state.speedRpm + speedRpm) / 120) * dtS) % 1,
    },
    flowM3h,
    headM,
    pressureBar: RATED.suctionBar + (WATER_KG_M3 * GRAVITY_M_S2 * headM) / 1e5,
    shaftPowerW,
    currentA: motorCurrentA(shaftPowerW),
    flowRatio,
  };
}

/** Where the pump's curve, scaled by the affinity laws, meets the system's: head = static head + k · flow². */
function operatingPoint(
  build: PumpBuild,
  speedRatio: number,
  load: PumpLoad,
): { flowM3h: number; headM: number } {
  const curve = (RATED.shutOffHeadM - RATED.headM) / RATED.flowM3h ** 2;
  const wantedM3h = load.demand * RATED.flowM3h;
  // The consumers open as far as lets a nominal pump give what is asked for.
  const resistance =
    ((RATED.shutOffHeadM - RATED.staticHeadM) / wantedM3h ** 2 - curve) * (1 + 6 * load.valve);
  // Affinity laws: flow as the speed, head as its square.
  const shutOffM = RATED.shutOffHeadM * build.head * speedRatio ** 2 * (1 - 0.12 * load.cavitation);
  const flowM3h = Math.sqrt(Math.max(1, shutOffM - RATED.staticHeadM) / (curve + resistance));
  return { flowM3h, headM: shutOffM - curve * flowM3h ** 2 };
}

/** The active current carries the load, the magnetizing current is always there, a quarter period behind. */
function motorCurrentA(shaftPowerW: number): number {
  const activeA = shaftPowerW / (RATED.motorEfficiency * Math.sqrt(3) * RATED.voltageV);
  return Math.hypot(activeA, RATED.magnetizingCurrentA);
}

/** A first-order lag after `timeConstants` of its time constants; exact for any step. */
function lag(from: number, target: number, timeConstants: number): number {
  return target + (from - target) * Math.exp(-timeConstants);
}
