import { createHash } from "node:crypto";

/** A value that kept its contract. */
export interface GoodValue {
  readonly device: string;
  readonly metric: string;
  readonly measuredAtUs: number;
  readonly value: number;
}

/** Characters of one key: 66 bits of a hash, so that a wrong match among a message's values does not happen. */
const KEY_LENGTH = 11;

/** Characters of one value: its eight bytes in base64url. */
const VALUE_LENGTH = 11;

/** The good values of a message, as a text that goes with it into quarantine. */
export const goodValuesText = (values: readonly GoodValue[]): string =>
  values.map((one) => keyOf(one) + valueText(one)).join("");

/**
 * Which values of a message are in the table already: those that were good when it was decoded first, so that decoding
 * it again gives only what was refused then. By device, metric and event time, because a mended route may count the
 * values in another way, and by the value, because several records may have one time.
 */
export class AlreadyStored {
  readonly #valuesByKey = new Map<string, string[]>();

  /** `text` as `goodValuesText` made it. */
  constructor(text: string) {
    for (let at = 0; at + KEY_LENGTH + VALUE_LENGTH <= text.length; at += KEY_LENGTH + VALUE_LENGTH) {
      const key = text.slice(at, at + KEY_LENGTH);
      const value = text.slice(at + KEY_LENGTH, at + KEY_LENGTH + VALUE_LENGTH);
      this.#valuesByKey.set(key, [...(this.#valuesByKey.get(key) ?? []), value]);
    }
  }

  /** For each of the message's good values of now, whether it was good then. */
  find(values: readonly GoodValue[]): readonly boolean[] {
    const left = new Map(Array.from(this.#valuesByKey, ([key, stored]) => [key, [...stored]]));
    const keyed = values.map((one) => ({ stored: left.get(keyOf(one)), value: valueText(one) }));
    const isSame = keyed.map(({ stored, value }) => {
      const at = stored?.indexOf(value) ?? -1;
      if (at !== -1) stored?.splice(at, 1);
      return at !== -1;
    });
    // What is left was stored in another unit than it would be now.
    return keyed.map(({ stored }, i) => isSame[i] === true || stored?.pop() !== undefined);
  }
}

const keyOf = ({ device, metric, measuredAtUs }: GoodValue): string =>
  createHash("sha256")
    .update(`${device}\u0000${metric}\u0000${measuredAtUs}`)
    .digest("base64url")
    .slice(0, KEY_LENGTH);

const valueText = ({ value }: GoodValue): string =>
  Buffer.from(Float64Array.of(value).buffer).toString("base64url");
