import { CLOCKS, type ReadingBlock, type Series } from "@sluice/shared/contract/reading.ts";
import type { GoodValue } from "./already-stored.ts";
import type { SeenReadings, SeenSeries } from "./seen-readings.ts";

/** A series and its place in the block that is being built. */
export interface SeriesSlot {
  readonly series: Series;
  block: number;
  place: number;
  seen?: SeenSeries | undefined;
}

const CAPACITY_MIN = 1_024;

const DEVICE = CLOCKS.indexOf("device");
const ARRIVAL = CLOCKS.indexOf("arrival");
const UNSURE = CLOCKS.indexOf("unsure");

/** Builds blocks of readings by column: `add` per reading makes no object; `finish` copies out what was added. */
export class ReadingColumns {
  #series: Series[] = [];
  /** By place, like the series. */
  #slots: SeriesSlot[] = [];
  #block = 0;
  #count = 0;
  #seriesIndex = new Uint32Array(CAPACITY_MIN);
  #offset = new Float64Array(CAPACITY_MIN);
  #index = new Uint32Array(CAPACITY_MIN);
  #measuredAtUs = new Float64Array(CAPACITY_MIN);
  #receivedAtUs = new Float64Array(CAPACITY_MIN);
  #value = new Float64Array(CAPACITY_MIN);
  #clock = new Uint8Array(CAPACITY_MIN);
  #withheld = new Uint8Array(CAPACITY_MIN);
  #messageOffset = 0;
  #messageReceivedAtUs = 0;
  #messageClock = ARRIVAL;
  #recordMeasuredAtUs = 0;
  #recordClock = ARRIVAL;

  get count(): number {
    return this.#count;
  }

  /** The message that the next readings are of, and whether our clock was known to be wrong when it came. */
  message(offset: number, receivedAtUs: number, isUnsure: boolean): void {
    this.#messageOffset = offset;
    this.#messageReceivedAtUs = receivedAtUs;
    this.#messageClock = isUnsure ? UNSURE : ARRIVAL;
  }

  /** The record that the next readings are of: its time, undefined where it is the arrival's, and whose clock that is of. */
  record(measuredAtUs: number | undefined, clock: "device" | "arrival"): void {
    this.#recordMeasuredAtUs = measuredAtUs ?? this.#messageReceivedAtUs;
    this.#recordClock = measuredAtUs === undefined || clock === "arrival" ? this.#messageClock : DEVICE;
  }

  add(slot: SeriesSlot, index: number, value: number): void {
    const at = this.#count;
    if (at === this.#value.length) this.#grow();
    if (slot.block !== this.#block) {
      slot.block = this.#block;
      slot.place = this.#series.length;
      this.#series.push(slot.series);
      this.#slots.push(slot);
    }
    this.#seriesIndex[at] = slot.place;
    this.#offset[at] = this.#messageOffset;
    this.#index[at] = index;
    this.#measuredAtUs[at] = this.#recordMeasuredAtUs;
    this.#receivedAtUs[at] = this.#messageReceivedAtUs;
    this.#value[at] = value;
    this.#clock[at] = this.#recordClock;
    this.#withheld[at] = 0;
    this.#count = at + 1;
  }

  /** Takes back what was added after there were `count`. */
  cutTo(count: number): void {
    this.#count = count;
  }

  /** What was added after there were `count`. */
  valuesFrom(count: number): readonly GoodValue[] {
    return Array.from({ length: this.#count - count }, (_, i) => {
      const row = count + i;
      const { device = "", metric = "" } = this.#series[this.#seriesIndex[row] ?? -1] ?? {};
      return { device, metric, measuredAtUs: this.#measuredAtUs[row] ?? NaN, value: this.#value[row] ?? NaN };
    });
  }

  /** Takes out what was added after there were `count`, where it says so, in order. */
  dropFrom(count: number, isDropped: readonly boolean[]): void {
    let kept = count;
    for (const [i, isOut] of isDropped.entries()) {
      if (isOut) continue;
      if (kept < count + i) this.#move(count + i, kept);
      kept += 1;
    }
    this.#count = kept;
  }

  /** Takes out the duplicates among what devices stamped and was added after there were `count`. */
  dropDuplicates(count: number, seen: SeenReadings): void {
    let kept = count;
    for (let row = count; row < this.#count; row++) {
      const slot = this.#slots[this.#seriesIndex[row] ?? -1];
      const isStamped = this.#clock[row] === DEVICE;
      if (isStamped && slot !== undefined) {
        const verdict = seen.judge(slot, this.#measuredAtUs[row] ?? NaN, this.#value[row] ?? NaN);
        if (verdict === "duplicate") continue;
      }
      if (kept < row) this.#move(row, kept);
      kept += 1;
    }
    this.#count = kept;
  }

  #move(from: number, to: number): void {
    for (const column of [
      this.#seriesIndex,
      this.#offset,
      this.#index,
      this.#measuredAtUs,
      this.#receivedAtUs,
      this.#value,
      this.#clock,
      this.#withheld,
    ])
      column.copyWithin(to, from, from + 1);
  }

  indexAt(row: number): number {
    return this.#index[row] ?? NaN;
  }

  measuredAtUsAt(row: number): number {
    return this.#measuredAtUs[row] ?? NaN;
  }

  /** Keeps a reading from features and models. */
  withhold(row: number): void {
    this.#withheld[row] = 1;
  }

  finish(): ReadingBlock {
    const block = {
      count: this.#count,
      series: this.#series,
      seriesIndex: this.#seriesIndex.slice(0, this.#count),
      offset: this.#offset.slice(0, this.#count),
      index: this.#index.slice(0, this.#count),
      measuredAtUs: this.#measuredAtUs.slice(0, this.#count),
      receivedAtUs: this.#receivedAtUs.slice(0, this.#count),
      value: this.#value.slice(0, this.#count),
      clock: this.#clock.slice(0, this.#count),
      withheld: this.#withheld.slice(0, this.#count),
    };
    this.#series = [];
    this.#slots = [];
    this.#block += 1;
    this.#count = 0;
    return block;
  }

  #grow(): void {
    const capacity = this.#value.length * 2;
    this.#seriesIndex = copyUint32(this.#seriesIndex, capacity);
    this.#offset = copyFloat64(this.#offset, capacity);
    this.#index = copyUint32(this.#index, capacity);
    this.#measuredAtUs = copyFloat64(this.#measuredAtUs, capacity);
    this.#receivedAtUs = copyFloat64(this.#receivedAtUs, capacity);
    this.#value = copyFloat64(this.#value, capacity);
    this.#clock = copyUint8(this.#clock, capacity);
    this.#withheld = copyUint8(this.#withheld, capacity);
  }
}

function copyFloat64(from: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(capacity);
  to.set(from);
  return to;
}

function copyUint32(from: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(capacity);
  to.set(from);
  return to;
}

function copyUint8(from: Uint8Array, capacity: number): Uint8Array<ArrayBuffer> {
  const to = new Uint8Array(capacity);
  to.set(from);
  return to;
}
