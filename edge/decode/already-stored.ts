import { createHash } from "node:crypto";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";

/** Characters of one key: 66 bits of a hash, so that a wrong match among a message's values does not happen. */
const KEY_LENGTH = 11;

/**
 * Which values of a message are in the table already: what a message gave when it was decoded first, so that decoding
 * it again gives only what was refused then. By device, metric and event time, because a mended route may count the
 * values in another way.
 */
export class AlreadyStored {
  readonly #keys: ReadonlySet<string>;

  /** `text` as `storedKeys` made it. */
  constructor(text: string) {
    const keys = new Set<string>();
    for (let at = 0; at < text.length; at += KEY_LENGTH) keys.add(text.slice(at, at + KEY_LENGTH));
    this.#keys = keys;
  }

  has(device: string, metric: string, measuredAtUs: number): boolean {
    return this.#keys.size > 0 && this.#keys.has(keyOf(device, metric, measuredAtUs));
  }
}

/** The keys of what was stored of some messages, by offset. */
export function storedKeys(
  readings: ReadingBlock,
  offsets: ReadonlySet<number>,
): ReadonlyMap<number, string> {
  const keys = new Map<number, string>();
  if (offsets.size === 0) return keys;
  for (let row = 0; row < readings.count; row++) {
    const offset = readings.offset[row] ?? -1;
    const series = readings.series[readings.seriesIndex[row] ?? -1];
    if (series === undefined || !offsets.has(offset)) continue;
    const key = keyOf(series.device, series.metric, readings.measuredAtUs[row] ?? 0);
    keys.set(offset, (keys.get(offset) ?? "") + key);
  }
  return keys;
}

const keyOf = (device: string, metric: string, measuredAtUs: number): string =>
  createHash("sha256")
    .update(`${device}\u0000${metric}\u0000${measuredAtUs}`)
    .digest("base64url")
    .slice(0, KEY_LENGTH);
