import type { FeatureView } from "../contract/feature-view.ts";
import type { CheckpointReader, CheckpointWriter } from "./checkpoint.ts";

/** How many of a device's last windows a missing share is of, where the view has no breaker that says so. */
const WINDOWS = 20;

/** What is judged: one closing or revision of a window. */
export interface JudgedVector {
  readonly device: string;
  readonly windowEndUs: number;
  readonly revision: number;
  /** In the order of the view. */
  readonly values: readonly (number | undefined)[];
  /** The event time of a metric's newest reading in the window, in microseconds; undefined where there is none. */
  readonly newestUs: (metric: string) => number | undefined;
}

export interface Verdict {
  readonly violations: readonly string[];
  readonly withheld: boolean;
}

const FINE: Verdict = { violations: [], withheld: false };

interface Range {
  readonly place: number;
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

interface Presence {
  readonly place: number;
  readonly name: string;
  readonly missingMax: number;
}

interface Freshness {
  readonly name: string;
  readonly metric: string;
  readonly freshnessMs: number;
}

/** The last yeses and noes, and how many of them are yeses; what has not come yet is no. */
class LastFlags {
  readonly flags: Uint8Array;
  #next: number;
  #count: number;

  constructor(size: number, from?: CheckpointReader) {
    this.flags = new Uint8Array(size);
    if (from !== undefined) this.flags.set(from.block());
    this.#next = from?.count() ?? 0;
    this.#count = this.flags.reduce((sum, flag) => sum + flag, 0);
  }

  get count(): number {
    return this.#count;
  }

  /** How many there would be if this one were the next. */
  with(isSet: boolean): number {
    return this.#count + Number(isSet) - (this.flags[this.#next] ?? 0);
  }

  add(isSet: boolean): void {
    this.#count = this.with(isSet);
    this.flags[this.#next] = Number(isSet);
    this.#next = (this.#next + 1) % this.flags.length;
  }

  save(to: CheckpointWriter): void {
    to.block(this.flags);
    to.number(this.#next);
  }
}

/** What is remembered of one device. */
interface DeviceRecord {
  readonly missing: readonly LastFlags[];
  readonly violating: LastFlags;
  isOpen: boolean;
}

/**
 * What a view promises of its vectors, checked one by one: range and missing share of each feature, age of the newest
 * reading of each input; and a breaker per device that keeps vectors from models while too many break the promise.
 *
 * A window counts once, when it first closes, as it was then; a revision is judged anew, counts for nothing, and is
 * withheld while the breaker is open. So the verdicts follow from the vectors in their order and from nothing else.
 * Windows that have not come yet count as good: a device's first bad window is no share of 100 %. Memory: for each
 * device one byte for each window of the share, for the breaker and each feature with a missing share.
 */
export class VectorContract {
  /** Whether there is anything to check. */
  readonly isEmpty: boolean;
  readonly #ranges: readonly Range[];
  readonly #presences: readonly Presence[];
  readonly #freshnesses: readonly Freshness[];
  readonly #windows: number;
  readonly #openAbove: number;
  readonly #closeAt: number;
  readonly #devices = new Map<string, DeviceRecord>();

  constructor({ features, inputs, breaker }: FeatureView, from?: CheckpointReader) {
    this.#windows = breaker?.windowVectors ?? WINDOWS;
    this.#openAbove = breaker?.violationShareMax ?? Infinity;
    this.#closeAt = breaker?.closeShareMax ?? this.#openAbove / 2;
    this.#ranges = features.flatMap(({ name, expect: { min, max } = {} }, place) =>
      min === undefined && max === undefined
        ? []
        : [{ place, name, min: min ?? -Infinity, max: max ?? Infinity }],
    );
    this.#presences = features.flatMap(({ name, expect: { missingShareMax } = {} }, place) =>
      missingShareMax === undefined
        ? []
        : [{ place, name, missingMax: Math.floor(missingShareMax * this.#windows) }],
    );
    this.#freshnesses = Object.entries(inputs).flatMap(([name, { metric, freshnessMs }]) =>
      freshnessMs === undefined ? [] : [{ name, metric, freshnessMs }],
    );
    this.isEmpty = this.#ranges.length + this.#presences.length + this.#freshnesses.length === 0;
    if (from !== undefined) this.#restore(from);
  }

  /** Devices whose vectors are withheld now. */
  get openCount(): number {
    let count = 0;
    for (const { isOpen } of this.#devices.values()) count += Number(isOpen);
    return count;
  }

  judge(vector: JudgedVector): Verdict {
    if (this.isEmpty) return FINE;
    const record = this.#recordOf(vector.device);
    const violations = [
      ...this.#outOfRange(vector),
      ...this.#stale(vector),
      ...this.#tooOftenMissing(vector, record),
    ];
    if (vector.revision === 0) {
      record.violating.add(violations.length > 0);
      const share = record.violating.count / this.#windows;
      record.isOpen = record.isOpen ? share > this.#closeAt : share > this.#openAbove;
    }
    return { violations, withheld: record.isOpen };
  }

  /** Writes what the constructor reads. */
  save(to: CheckpointWriter): void {
    to.number(this.#devices.size);
    for (const [device, { missing, violating, isOpen }] of this.#devices) {
      to.text(device);
      for (const flags of [...missing, violating]) flags.save(to);
      to.number(Number(isOpen));
    }
  }

  #restore(from: CheckpointReader): void {
    const flags = (): LastFlags => new LastFlags(this.#windows, from);
    for (let left = from.count(); left > 0; left--) {
      const device = from.text();
      const missing = this.#presences.map(flags);
      this.#devices.set(device, { missing, violating: flags(), isOpen: from.number() === 1 });
    }
  }

  #recordOf(device: string): DeviceRecord {
    let record = this.#devices.get(device);
    if (record === undefined) {
      const flags = (): LastFlags => new LastFlags(this.#windows);
      record = { missing: this.#presences.map(flags), violating: flags(), isOpen: false };
      this.#devices.set(device, record);
    }
    return record;
  }

  #outOfRange({ values }: JudgedVector): string[] {
    return this.#ranges.flatMap(({ place, name, min, max }) => {
      const value = values[place];
      if (value === undefined) return [];
      if (value < min) return [`${name}: ${value} is below ${min}`];
      return value > max ? [`${name}: ${value} is above ${max}`] : [];
    });
  }

  #stale({ windowEndUs, newestUs }: JudgedVector): string[] {
    return this.#freshnesses.flatMap(({ name, metric, freshnessMs }) => {
      const atUs = newestUs(metric);
      if (atUs === undefined) return [`input ${name}: no reading`];
      const ageMs = (windowEndUs - atUs) / 1_000;
      return ageMs <= freshnessMs
        ? []
        : [`input ${name}: newest reading ${ageMs} ms old, ${freshnessMs} allowed`];
    });
  }

  #tooOftenMissing({ values, revision }: JudgedVector, { missing }: DeviceRecord): string[] {
    return this.#presences.flatMap(({ place, name, missingMax }, i) => {
      const isMissing = values[place] === undefined;
      const flags = missing[i];
      if (flags === undefined) return [];
      const count = revision === 0 ? flags.with(isMissing) : flags.count;
      if (revision === 0) flags.add(isMissing);
      return count <= missingMax
        ? []
        : [`${name}: missing in ${count} of the last ${this.#windows} windows, ${missingMax} allowed`];
    });
  }
}
