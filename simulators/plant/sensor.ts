import type { Random } from "@sluice/shared/runtime/random.ts";

/** How a sensor sees a true value. */
export interface SensorKind {
  /** Standard deviation of its noise. */
  readonly noise: number;
  /** Digits after the point that it reports: its resolution. */
  readonly decimals: number;
  /** Standard deviation of its slow drift, which takes hours. */
  readonly drift: number;
  readonly min: number;
}

/** The published metrics of a pump and what measures each. */
export const SENSORS = {
  vibration_rms_g: { noise: 0.001, decimals: 3, drift: 0.002, min: 0 },
  vibration_velocity_mm_s: { noise: 0.01, decimals: 2, drift: 0.02, min: 0 },
  vibration_envelope_g: { noise: 0.000_5, decimals: 4, drift: 0.000_5, min: 0 },
  current_a: { noise: 0.1, decimals: 2, drift: 0.05, min: 0 },
  pressure_bar: { noise: 0.01, decimals: 3, drift: 0.005, min: -1 },
  bearing_temp_c: { noise: 0.05, decimals: 1, drift: 0.05, min: -40 },
  flow_m3_h: { noise: 0.3, decimals: 1, drift: 0.1, min: 0 },
  speed_rpm: { noise: 1, decimals: 0, drift: 0, min: 0 },
} as const satisfies Record<string, SensorKind>;

export type Metric = keyof typeof SENSORS;
export const METRICS: readonly Metric[] = [
  "vibration_rms_g",
  "vibration_velocity_mm_s",
  "vibration_envelope_g",
  "current_a",
  "pressure_bar",
  "bearing_temp_c",
  "flow_m3_h",
  "speed_rpm",
];

/** One value for each metric, made in the order of METRICS. */
export function byMetric<T>(make: (metric: Metric) => T): Record<Metric, T> {
  return {
    vibration_rms_g: make("vibration_rms_g"),
    vibration_velocity_mm_s: make("vibration_velocity_mm_s"),
    vibration_envelope_g: make("vibration_envelope_g"),
    current_a: make("current_a"),
    pressure_bar: make("pressure_bar"),
    bearing_temp_c: make("bearing_temp_c"),
    flow_m3_h: make("flow_m3_h"),
    speed_rpm: make("speed_rpm"),
  };
}

/** What a sensor remembers: its drift in standard deviations, and what it said last. */
export interface SensorState {
  readonly drift: number;
  readonly last: number | undefined;
}

/** Drift forgets itself within hours. */
const DRIFT_S = 6 * 3_600;

export interface SensorMoment {
  readonly dtS: number;
  /** How often a reading is missing. */
  readonly dropout: number;
  /** The sensor repeats what it said last. */
  readonly stuck: boolean;
}

/** What the sensor says of a true value; undefined: nothing, this time. */
export function readSensor(
  kind: SensorKind,
  state: SensorState,
  truth: number,
  moment: SensorMoment & { readonly random: Random },
): { state: SensorState; value: number | undefined } {
  const { random, dtS, dropout, stuck } = moment;
  const keep = Math.exp(-dtS / DRIFT_S);
  // An Ornstein-Uhlenbeck process: exact for any step, and it stays near 1 standard deviation for ever.
  const drift = keep * state.drift + Math.sqrt(1 - keep ** 2) * random.normal();
  const noisy = truth + kind.drift * drift + kind.noise * random.normal();
  const fresh = Number(Math.max(kind.min, noisy).toFixed(kind.decimals));
  const value = stuck ? (state.last ?? fresh) : fresh;
  return { state: { drift, last: value }, value: random.next() < dropout ? undefined : value };
}
