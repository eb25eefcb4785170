import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import type { ReadingPolicy } from "./settings.ts";

/** Whether a window that was called anomalous lies within `beforeUs` after, or `afterUs` before, an event time of a device. */
export type IsNearAnomaly = (device: string, atUs: number, around: Around) => boolean;

export interface Around {
  readonly beforeUs: number;
  readonly afterUs: number;
}

/** Series of which it is remembered when the last reading was kept: about 100 bytes each. */
const SERIES_MAX = 100_000;

/** Device names that an event carries; of more it says how many there are. */
const DEVICES_NAMED_MAX = 8;

/** Readings of a batch that are sent, and what is told of the others. */
export interface Chosen {
  readonly blocks: readonly ReadingBlock[];
  readonly leftOut: LeftOut | undefined;
  /** To be called when the batch is stored. */
  readonly remember: () => void;
}

/** What is known of readings that are not sent. */
export interface LeftOut {
  readonly count: number;
  readonly devices: readonly string[];
  readonly fromUs: number;
  readonly throughUs: number;
}

/** Chooses which readings go to the lake, and remembers what that needs from batch to batch. */
export class ReadingChooser {
  readonly #policy: ReadingPolicy;
  readonly #isNearAnomaly: IsNearAnomaly;
  /** Per series, the interval of its newest kept reading. In memory: after a restart one more reading may go. */
  readonly #lastInterval = new Map<string, number>();
  /** Per device, the newest event time that is in a batch. */
  readonly #newestUs = new Map<string, number>();

  constructor(policy: ReadingPolicy, isNearAnomaly: IsNearAnomaly) {
    this.#policy = policy;
    this.#isNearAnomaly = isNearAnomaly;
  }

  /** What of these blocks is sent. Changes nothing before `remember` is called. */
  choose(blocks: readonly ReadingBlock[]): Chosen {
    const policy = this.#policy;
    if (policy.policy === "everything") return { blocks, leftOut: undefined, remember: () => undefined };
    const intervals = new Map<string, number>();
    const isKept =
      policy.policy === "thinned"
        ? (series: string, _: string, atUs: number) =>
            this.#isNext(intervals, series, Math.floor(atUs / (policy.intervalMs * 1_000)))
        : (_: string, device: string, atUs: number) =>
            this.#isNearAnomaly(device, atUs, {
              beforeUs: policy.beforeMs * 1_000,
              afterUs: policy.afterMs * 1_000,
            });
    const left = new LeftOutSum();
    const newestUs = new Map<string, number>();
    const kept = blocks.map((block) => {
      const names = block.series.map(({ device, metric }) => `${device}\n${metric}`);
      const rows: number[] = [];
      for (let row = 0; row < block.count; row++) {
        const place = block.seriesIndex[row] ?? 0;
        const device = block.series[place]?.device ?? "";
        const atUs = block.measuredAtUs[row] ?? 0;
        if (atUs > (newestUs.get(device) ?? -Infinity)) newestUs.set(device, atUs);
        if (isKept(names[place] ?? "", device, atUs)) rows.push(row);
        else left.add(device, atUs);
      }
      return rows.length === block.count ? block : pickReadings(block, rows);
    });
    const remember = (): void => {
      noteNewest(this.#lastInterval, intervals);
      if (policy.policy === "around_anomalies") noteNewest(this.#newestUs, newestUs);
    };
    return { blocks: kept.filter(({ count }) => count > 0), leftOut: left.sum(), remember };
  }

  /** Whether no reading that follows can lie near a window that ended then, unless it is late. */
  isPast(device: string, toUs: number): boolean {
    if (this.#policy.policy !== "around_anomalies") return true;
    return (this.#newestUs.get(device) ?? -Infinity) >= toUs + this.#policy.afterMs * 1_000;
  }

  /** Whether a reading lies in another interval than the last one of its series that was kept. */
  #isNext(intervals: Map<string, number>, series: string, interval: number): boolean {
    const last = intervals.get(series) ?? this.#lastInterval.get(series) ?? -Infinity;
    // Earlier intervals too: a device sends what it has kept while it had no connection.
    if (interval === last) return false;
    intervals.set(series, interval);
    return true;
  }
}

/** Takes values over; the oldest names go where there are too many. */
function noteNewest(into: Map<string, number>, from: ReadonlyMap<string, number>): void {
  for (const [name, value] of from) {
    into.delete(name);
    into.set(name, value);
  }
  for (const name of into.keys()) {
    if (into.size <= SERIES_MAX) break;
    into.delete(name);
  }
}

class LeftOutSum {
  #count = 0;
  readonly #devices = new Set<string>();
  #fromUs = Infinity;
  #throughUs = -Infinity;

  add(device: string, atUs: number): void {
    this.#count++;
    this.#devices.add(device);
    this.#fromUs = Math.min(this.#fromUs, atUs);
    this.#throughUs = Math.max(this.#throughUs, atUs);
  }

  sum(): LeftOut | undefined {
    if (this.#count === 0) return undefined;
    const [fromUs, throughUs] = [this.#fromUs, this.#throughUs];
    return { count: this.#count, devices: [...this.#devices], fromUs, throughUs };
  }
}

/** A block of some rows of another, in the same order. */
function pickReadings(block: ReadingBlock, rows: readonly number[]): ReadingBlock {
  const doubles = (values: Float64Array): Float64Array => Float64Array.from(rows, (row) => values[row] ?? 0);
  const bytes = (values: Uint8Array): Uint8Array => Uint8Array.from(rows, (row) => values[row] ?? 0);
  return {
    count: rows.length,
    series: block.series,
    seriesIndex: Uint32Array.from(rows, (row) => block.seriesIndex[row] ?? 0),
    offset: doubles(block.offset),
    index: Uint32Array.from(rows, (row) => block.index[row] ?? 0),
    measuredAtUs: doubles(block.measuredAtUs),
    receivedAtUs: doubles(block.receivedAtUs),
    value: doubles(block.value),
    clock: bytes(block.clock),
    withheld: bytes(block.withheld),
  };
}

/** How long readings wait before they are sent, so that an anomaly that is found later can still claim them. */
export const holdBackUs = (policy: ReadingPolicy, settleUs: number): number =>
  policy.policy === "around_anomalies" ? policy.beforeMs * 1_000 + settleUs : 0;

/** The event that tells of what a batch leaves out, for whoever counts what the lake has. */
export function tellLeftOut(
  left: LeftOut,
  batch: { readonly from: number; readonly to: number; readonly rows: number },
  policy: ReadingPolicy,
  atUs: number,
): NewEvent {
  const { count, devices } = left;
  const { from, to, rows } = batch;
  const why =
    policy.policy === "thinned"
      ? `one reading of each series in ${policy.intervalMs} ms is sent`
      : "only readings around anomalies are sent";
  return {
    kind: "shed.policy",
    atUs,
    device: devices.length === 1 ? devices[0] : undefined,
    offsets: { from, through: to },
    count,
    detail: `${count} of ${count + rows} readings were left out as sync.readings says: ${why}`,
    facts: {
      reason: "policy",
      policy: policy.policy,
      stream: "readings",
      from,
      through: to,
      kept: rows,
      devices: devices.slice(0, DEVICES_NAMED_MAX).join(", "),
      deviceCount: devices.length,
      measuredFromUs: left.fromUs,
      measuredThroughUs: left.throughUs,
    },
  };
}
