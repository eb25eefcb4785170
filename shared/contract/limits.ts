/** Longest device id or metric name, in UTF-16 units: fits any MQTT topic level in use and keeps dictionaries small. */
export const NAME_LENGTH_MAX = 128;

/** Most features in one view: a vector of 512 doubles is 4 KiB, a page of SQLite. */
export const FEATURES_MAX = 512;

/** Longest window: 31 days, so that the state of a window is bounded by rate and not by a typing error. */
export const WINDOW_SIZE_MS_MAX = 31 * 24 * 3_600_000;

/** Most panes that a window may be made of (size / hop): bounds the vectors that one reading can revise. */
export const WINDOW_HOPS_MAX = 3_600;

/** Most readings of one input that a window by count may have: 16 MiB of times and values. */
export const WINDOW_READINGS_MAX = 1_048_576;
