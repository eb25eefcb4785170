/** Most readings of a device that wait in its row. */
export const WAITING_MAX = 32;

/** Places in a row. A reading is put by where its time is between the first two. */
const FROM = 0;
const TO = 1;
const NEWEST = 2;
const MESSAGE = 3;
const BEFORE = 4;
const COUNT = 5;
const HEADER = 8;
/** Metric, time, value. */
const WIDTH = 3;
const ROW = HEADER + WAITING_MAX * WIDTH;

const ROWS_MIN = 16;

/**
 * Where the readings of the devices of one view wait until there are several, a row of 832 bytes for each device.
 *
 * Most readings are in order, close no window and revise none: all that they change is the newest time and the columns
 * in which they are kept. With thousands of devices each of the objects that lead to those columns has left the
 * processor's caches by the next message. So what is asked for each reading is in one row, beside the readings, and
 * the way to the columns is gone once for several.
 */
export class Inbox {
  #rows = new Float64Array(ROWS_MIN * ROW);
  #count = 0;

  /** A row for another device; returns its place. */
  add(newestUs: number): number {
    const place = this.#count;
    this.#count += 1;
    if (this.#count * ROW > this.#rows.length) {
      const grown = new Float64Array(this.#rows.length * 2);
      grown.set(this.#rows);
      this.#rows = grown;
    }
    const at = place * ROW;
    this.#rows[at + FROM] = Infinity;
    this.#rows[at + NEWEST] = newestUs;
    this.#rows[at + MESSAGE] = -1;
    this.#rows[at + BEFORE] = -Infinity;
    return place;
  }

  /** A reading of that message comes: what the device's newest time was before the first of them is kept. */
  begin(place: number, offset: number): boolean {
    const at = place * ROW;
    const rows = this.#rows;
    if (rows[at + MESSAGE] === offset) return false;
    rows[at + MESSAGE] = offset;
    rows[at + BEFORE] = rows[at + NEWEST] ?? Number.NaN;
    return true;
  }

  /** Whether the reading waits now; otherwise it must be taken by itself. */
  put(place: number, metric: number, timeUs: number, value: number): boolean {
    const at = place * ROW;
    const rows = this.#rows;
    if (!(timeUs >= (rows[at + FROM] ?? Number.NaN) && timeUs < (rows[at + TO] ?? Number.NaN))) return false;
    const count = rows[at + COUNT] ?? 0;
    if (count === WAITING_MAX) return false;
    const to = at + HEADER + count * WIDTH;
    rows[to] = metric;
    rows[to + 1] = timeUs;
    rows[to + 2] = value;
    rows[at + COUNT] = count + 1;
    rows[at + NEWEST] = timeUs;
    rows[at + FROM] = timeUs;
    return true;
  }

  /** Gives out the readings that wait, as they came. */
  drain(place: number, each: (metric: number, timeUs: number, value: number) => void): void {
    const at = place * ROW;
    const rows = this.#rows;
    const end = at + HEADER + (rows[at + COUNT] ?? 0) * WIDTH;
    for (let i = at + HEADER; i < end; i += WIDTH)
      each(rows[i] ?? Number.NaN, rows[i + 1] ?? Number.NaN, rows[i + 2] ?? Number.NaN);
    rows[at + COUNT] = 0;
  }

  /** From now on readings of [fromUs, toUs) may wait, each not before the one before. */
  open(place: number, fromUs: number, toUs: number): void {
    this.#rows[place * ROW + FROM] = fromUs;
    this.#rows[place * ROW + TO] = toUs;
  }

  /** The largest event time of the device. */
  newestUs(place: number): number {
    return this.#rows[place * ROW + NEWEST] ?? Number.NaN;
  }

  /** The same, before the message that is being taken. */
  newestBeforeUs(place: number): number {
    return this.#rows[place * ROW + BEFORE] ?? Number.NaN;
  }

  setNewest(place: number, newestUs: number): void {
    this.#rows[place * ROW + NEWEST] = newestUs;
  }

  /** The message that is being taken begins anew, with nothing before it. */
  forget(place: number): void {
    this.#rows[place * ROW + NEWEST] = -Infinity;
    this.#rows[place * ROW + BEFORE] = -Infinity;
  }
}
