import type { Log } from "@sluice/shared/runtime/log.ts";

/** Where messages are gone: damaged on disk, and why. */
export interface Damage {
  readonly file: string;
  readonly fromOffset: number;
  /** Exclusive; undefined where it cannot be known. */
  readonly endOffset: number | undefined;
  readonly reason: string;
}

/** Damage that was found since the log was opened; each place is logged once, as an error. */
export class DamageReport {
  readonly #log: Log;
  readonly #damages: Damage[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  get damages(): readonly Damage[] {
    return this.#damages;
  }

  add(damage: Damage): void {
    const isKnown = this.#damages.some(
      ({ file, fromOffset }) => file === damage.file && fromOffset === damage.fromOffset,
    );
    if (isKnown) return;
    this.#damages.push(damage);
    this.#log.error(damage, "messages that were acknowledged are damaged on disk");
  }

  /** Nothing is missing where the range is empty. */
  addMissing(file: string, fromOffset: number, endOffset: number): void {
    if (fromOffset < endOffset)
      this.add({
        file,
        fromOffset,
        endOffset,
        reason: "messages that were stored, or may have been, are not there",
      });
  }
}
