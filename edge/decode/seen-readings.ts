import type { Series } from "@sluice/shared/contract/reading.ts";
import { SeenRun } from "./seen-run.ts";

/**
 * Most readings of a generation that are remembered: 8 MiB, of which there are two, and up to twice that while columns
 * grow. What comes beyond it is stored as it is, and counted.
 */
export const SEEN_READINGS_MAX = 524_288;

/** What a series costs besides its readings, in readings: bounds what invented names can use up. */
const SERIES_COST_READINGS = 16;

/** What a reading is to those before it. */
export type Verdict = "new" | "duplicate" | "conflict";

/** What is remembered of one series: the generation that it was used in last, and the one before that. */
export interface SeenSeries {
  generation: number;
  /** The largest time in either. */
  newestUs: number;
  newer: SeenRun;
  older: SeenRun;
}

/** Whatever finds its series again without a look into the map. */
export interface SeenSlot {
  readonly series: Series;
  seen?: SeenSeries | undefined;
}

/**
 * The second line against duplicates: which readings the last messages carried, by series, time and value.
 *
 * The first line knows a redelivery by its packet; this one also knows what a device, or a broker that took over, sent
 * again in another packet or another cut. Messages are counted in generations of `windowMessages` by their offset. A
 * reading is a duplicate when one of the same series, time and value was in the same generation or the one before, be
 * it stored or itself a duplicate. The verdict is a function of the messages from the beginning of the generation
 * before on, wherever a process begins: each generation remembers its first `readingsMax` distinct readings, and
 * nothing else counts. No hash decides: times and values themselves are compared.
 */
export class SeenReadings {
  readonly #windowMessages: number;
  readonly #readingsMax: number;
  readonly #series = new Map<string, SeenSeries>();
  #generation = -1;
  /** What is left of `readingsMax` in this generation. */
  #left = 0;
  #counts = { duplicates: 0, conflicts: 0, unremembered: 0 };

  /** `windowMessages` 0: nothing is remembered, everything is new. */
  constructor(windowMessages: number, readingsMax = SEEN_READINGS_MAX) {
    this.#windowMessages = windowMessages;
    this.#readingsMax = readingsMax;
  }

  /** The message that the next readings are of. */
  message(offset: number): void {
    if (this.#windowMessages === 0) return;
    const generation = Math.floor(offset / this.#windowMessages);
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#left = this.#readingsMax;
    for (const [key, series] of this.#series)
      if (series.generation < generation - 1) this.#series.delete(key);
  }

  /** Judges a reading that its device stamped, counts it and remembers it. */
  judge(slot: SeenSlot, measuredAtUs: number, value: number): Verdict {
    if (this.#windowMessages === 0) return "new";
    const series = slot.seen?.generation === this.#generation ? slot.seen : this.#find(slot);
    if (measuredAtUs > series.newestUs) {
      this.#remember(series, measuredAtUs, value);
      return "new";
    }
    const verdict = this.#compare(series, measuredAtUs, value);
    if (verdict === "duplicate") this.#counts.duplicates += 1;
    else if (verdict === "conflict") this.#counts.conflicts += 1;
    return verdict;
  }

  /** Forgets all readings, as if the next message were the first. */
  forget(): void {
    this.#left = this.#readingsMax;
    for (const series of this.#series.values()) {
      series.newer.clear();
      series.older.clear();
      series.newestUs = -Infinity;
    }
  }

  /** How many readings were duplicates, were conflicts, were not remembered, since the last time. */
  finish(): { readonly duplicates: number; readonly conflicts: number; readonly unremembered: number } {
    const counts = this.#counts;
    this.#counts = { duplicates: 0, conflicts: 0, unremembered: 0 };
    return counts;
  }

  #compare(series: SeenSeries, measuredAtUs: number, value: number): Verdict {
    const now = series.newer.find(measuredAtUs, value);
    if (now === "same") return "duplicate";
    this.#remember(series, measuredAtUs, value);
    const before = series.older.find(measuredAtUs, value);
    if (before === "same") return "duplicate";
    return now === "other" || before === "other" ? "conflict" : "new";
  }

  #remember(series: SeenSeries, measuredAtUs: number, value: number): void {
    const { newer } = series;
    const cost = newer.count === 0 ? SERIES_COST_READINGS : 1;
    if (this.#left < cost) {
      this.#counts.unremembered += 1;
      return;
    }
    this.#left -= cost;
    newer.add(measuredAtUs, value);
    series.newestUs = Math.max(series.newestUs, measuredAtUs);
  }

  /** The series as it is in this generation. */
  #find(slot: SeenSlot): SeenSeries {
    const { device, deviceType, metric } = slot.series;
    const key = `${deviceType}\n${device}\n${metric}`; // Names hold no control characters.
    let series = this.#series.get(key);
    if (series === undefined) {
      series = {
        generation: this.#generation,
        newestUs: -Infinity,
        newer: new SeenRun(),
        older: new SeenRun(),
      };
      this.#series.set(key, series);
    }
    slot.seen = series;
    if (series.generation === this.#generation) return series;
    if (series.generation < this.#generation - 1) series.newer.clear();
    [series.newer, series.older] = [series.older, series.newer];
    series.newer.clear();
    series.newestUs = series.older.newestUs;
    series.generation = this.#generation;
    return series;
  }
}
