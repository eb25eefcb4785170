/** What became of the readings of a view, since its engine began. */
export interface EngineCounters {
  vectors: number;
  /** Vectors with a revision above 0. */
  revisions: number;
  /** Vectors of windows that closed because their device was silent. */
  idle: number;
  /** Vectors that break what their view promises. */
  violating: number;
  /** Vectors that are kept from models. */
  withheld: number;
  /** Readings that came after one of their windows had closed and revised it. */
  late: number;
  /** Readings that came when one of their windows, or every one that there could have been, was already final. */
  lateBeyondCorrection: number;
  /** Readings that a window did without because READINGS_HELD_MAX of the metric were held already. */
  shedReadings: number;
  /** Windows that became final early because CLOSED_WINDOWS_MAX of the device could still be revised. */
  shedWindows: number;
  /** Readings of devices beyond DEVICES_MAX. */
  shedDevices: number;
  /** Devices whose windows began anew because RESTART_READINGS in a row were beyond correction. */
  restarts: number;
}

/** In the order of a checkpoint. */
export const COUNTERS = [
  "vectors",
  "revisions",
  "idle",
  "violating",
  "withheld",
  "late",
  "lateBeyondCorrection",
  "shedReadings",
  "shedWindows",
  "shedDevices",
  "restarts",
] as const satisfies readonly (keyof EngineCounters)[];

export const noCounters = (): EngineCounters => ({
  vectors: 0,
  revisions: 0,
  idle: 0,
  violating: 0,
  withheld: 0,
  late: 0,
  lateBeyondCorrection: 0,
  shedReadings: 0,
  shedWindows: 0,
  shedDevices: 0,
  restarts: 0,
});
