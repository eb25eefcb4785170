import type { Log } from "@sluice/shared/runtime/log.ts";

/** Where messages are gone: damaged on disk, and why. */
export interface Damage {
  readonly file: string;
  readonly fromOffset: number;
  /** Exclusive; undefined where it cannot be known. */
  readonly endOffset: number | undefined;
  readonly reason: string;
}

/** Places that are named; a failing disk has more than anybody reads, and the status carries all of them. */
const DAMAGES_MAX = 100;

/** Damage that was found since the log was opened; each place is told once: to the log as an error, and to `damaged`. */
export class DamageReport {
  readonly #log: Log;
  readonly #damaged: (damage: Damage) => void;
  readonly #damages: Damage[] = [];
  /** Of each file, how far damage is counted that is not named: it is read from front to back. */
  readonly #countedTo = new Map<string, number>();
  #overCount = 0;

  constructor(log: Log, damaged: (damage: Damage) => void = () => undefined) {
    this.#log = log;
    this.#damaged = damaged;
  }

  get damages(): readonly Damage[] {
    return this.#damages;
  }

  /** Places beyond those that are named. */
  get overCount(): number {
    return this.#overCount;
  }

  add(damage: Damage): void {
    if (this.#damages.some((known) => covers(known, damage))) return;
    if (this.#damages.length < DAMAGES_MAX) {
      this.#damages.push(damage);
      this.#log.error(damage, "messages that were acknowledged are damaged on disk");
    } else {
      if (damage.fromOffset < (this.#countedTo.get(damage.file) ?? -1)) return;
      this.#countedTo.set(damage.file, damage.endOffset ?? damage.fromOffset + 1);
      this.#overCount++;
    }
    this.#damaged(damage);
  }

  /** Nothing is missing where the range is empty; what is lost with a damaged file is told with it, and not again. */
  addMissing(file: string, fromOffset: number, endOffset: number): void {
    const isToldOf = this.#damages.some(
      (known) => known.fromOffset <= fromOffset && endOffset <= (known.endOffset ?? 0),
    );
    if (fromOffset < endOffset && !isToldOf)
      this.add({
        file,
        fromOffset,
        endOffset,
        reason: "messages that were stored, or may have been, are not there",
      });
  }
}

function covers(known: Damage, other: Damage): boolean {
  if (known.file !== other.file || known.fromOffset > other.fromOffset) return false;
  if (known.fromOffset === other.fromOffset) return true;
  return known.endOffset !== undefined && other.endOffset !== undefined && other.endOffset <= known.endOffset;
}
