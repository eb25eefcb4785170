export interface ModelReading {
  readonly metric: string;
  readonly timeUs: number;
  readonly value: number;
}

/** A window that has closed. None is ever forgotten. */
export interface ModelWindow {
  startUs: number;
  endUs: number;
  revision: number;
  /** The means of the windows that had closed before. */
  before: readonly number[];
}

/** All that the model knows of a device. */
export interface ModelDevice {
  readonly name: string;
  /** By time, those of equal time as they came. */
  readonly readings: ModelReading[];
  readonly windows: ModelWindow[];
  earliestUs: number;
  newestUs: number;
  cursorUs: number;
  means: readonly number[];
  /** Arrival time of its last message; undefined once its windows were closed because it was silent. */
  heardUs: number | undefined;
}
