import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Random } from "@sluice/shared/runtime/random.ts";

/** Below it there is no room for a time and one value. */
export const PAYLOAD_BYTES_MIN = 40;

/** Different payloads that are made beforehand, so that making them costs nothing and they still differ. */
const VARIANTS = 64;

/** Digits of a time in milliseconds, until the year 2286. */
const TIME_DIGITS = 13;

/** Makes JSON messages of exactly one size: a time in milliseconds and as many metrics as have room. */
export class PayloadMaker {
  readonly #tails: readonly string[];
  #next = 0;

  /** Throws PipelineError "config.invalid" for a size that is too small. */
  constructor(bytes: number, random: Random) {
    if (bytes < PAYLOAD_BYTES_MIN)
      throw new PipelineError(
        "config.invalid",
        `a payload of ${bytes} bytes: at least ${PAYLOAD_BYTES_MIN} are needed`,
      );
    const tailBytes = bytes - '{"ts":'.length - TIME_DIGITS;
    this.#tails = Array.from({ length: VARIANTS }, () => makeTail(tailBytes, random));
  }

  make(nowUs: number): string {
    const tail = this.#tails[this.#next] ?? "}";
    this.#next = (this.#next + 1) % VARIANTS;
    return `{"ts":${String(Math.round(nowUs / 1_000)).padStart(TIME_DIGITS, " ")}${tail}`;
  }
}

/** Metrics m1, m2, …, and spaces up to the size: JSON allows them before the closing brace. */
function makeTail(bytes: number, random: Random): string {
  let text = "";
  for (let i = 1; ; i++) {
    const field = `,"m${i}":${(random.next() * 100).toFixed(5)}`;
    if (text.length + field.length + 1 > bytes) break;
    text += field;
  }
  return `${text.padEnd(bytes - 1)}}`;
}
