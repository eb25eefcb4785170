import type { FeatureView } from "../contract/feature-view.ts";
import type { ReadingBlock, Series } from "../contract/reading.ts";
import type { FeatureVector } from "../contract/vector.ts";
import { CheckpointError, CheckpointReader, CheckpointWriter } from "./checkpoint.ts";
import { compileView, type CompiledView } from "./compile-view.ts";
import { DeviceWindows, type EngineCounters, type WindowResult } from "./device-windows.ts";
import { Samples } from "./samples.ts";

/** Most devices of one view that an engine holds windows for: bounds what invented device names can use up. */
export const DEVICES_MAX = 65_536;

const CHECKPOINT_VERSION = 2;

/** Where the readings of one series go; readings that the view does not read are ignored. */
type Target =
  | { readonly state: "held"; readonly windows: DeviceWindows; readonly metric: number }
  | { readonly state: "ignored" | "shed" };

const IGNORED: Target = { state: "ignored" };
const SHED: Target = { state: "shed" };

/**
 * Computes one view: readings in, one vector out for each window that closes or is revised.
 *
 * Tumbling or hopping windows on event time, aligned to the epoch, half-open. Each device has its own watermark: the
 * largest event time that it sent in one of the view's inputs, minus the allowed lateness. A reading on which the
 * watermark reaches a window's end closes it; windows without a reading make no vector. The first window of a
 * device begins at or after its earliest reading, so it is never a part of one. A withheld reading counts as not sent. A late reading revises each closed
 * window that it belongs to until that is final (`correctionMs`); later ones are counted.
 *
 * Each vector is made by one reading, so the same readings in the same order give the same vectors in the same order
 * and the same bits, however they are cut into blocks and wherever a checkpoint is taken and restored. In which order
 * the readings of a device came within the allowed lateness changes only `throughOffset` and `closedAtUs`.
 */
export class WindowEngine {
  readonly view: FeatureView;
  readonly hash: string;
  /** Readings of messages before this offset are ignored. */
  readonly sinceOffset: number;
  readonly #plan: CompiledView;
  readonly #samples: readonly Samples[];
  readonly #devices = new Map<string, DeviceWindows>();
  readonly #counters: EngineCounters = {
    vectors: 0,
    revisions: 0,
    late: 0,
    lateBeyondCorrection: 0,
    shedReadings: 0,
    shedDevices: 0,
    restarts: 0,
  };
  #lastOffset = -1;
  #lastIndex = -1;

  /** Throws a ViewError where the function library does not have what the view asks for. */
  constructor(view: FeatureView, hash: string, sinceOffset: number) {
    this.view = view;
    this.hash = hash;
    this.sinceOffset = sinceOffset;
    this.#plan = compileView(view);
    this.#samples = this.#plan.metrics.map(() => new Samples());
  }

  /** Takes the next readings. Throws where they are not after all those before, by (offset, index). */
  process(block: ReadingBlock): FeatureVector[] {
    const vectors: FeatureVector[] = [];
    this.processRows(block, (vector) => vectors.push(vector));
    return vectors;
  }

  /** As `process`, with the row of the block that made each vector. */
  processRows(block: ReadingBlock, emit: (vector: FeatureVector, row: number) => void): void {
    const targets: (Target | undefined)[] = Array.from({ length: block.series.length });
    const results: WindowResult[] = [];
    for (let row = 0; row < block.count; row++) {
      const offset = block.offset[row] ?? Number.NaN;
      this.#checkOrder(offset, block.index[row] ?? Number.NaN);
      if (offset < this.sinceOffset || block.withheld[row] === 1) continue;
      const place = block.seriesIndex[row] ?? -1;
      const target = (targets[place] ??= this.#target(block.series[place]));
      if (target.state !== "held") {
        if (target.state === "shed") this.#counters.shedDevices += 1;
        continue;
      }
      const measuredAtUs = block.measuredAtUs[row] ?? Number.NaN;
      target.windows.add(target.metric, measuredAtUs, block.value[row] ?? Number.NaN, results);
      if (results.length === 0) continue;
      for (const result of results) emit(this.#vector(result, block, row), row);
      results.length = 0;
    }
  }

  counters(): Readonly<EngineCounters> {
    return { ...this.#counters };
  }

  /** The exact state: an engine restored from it goes on with the same bits. */
  checkpoint(): Uint8Array {
    const to = new CheckpointWriter();
    to.number(CHECKPOINT_VERSION);
    to.text(this.hash);
    to.number(this.sinceOffset);
    to.number(this.#lastOffset);
    to.number(this.#lastIndex);
    to.text(JSON.stringify(this.#counters));
    to.number(this.#devices.size);
    for (const [device, windows] of this.#devices) {
      to.text(device);
      windows.save(to);
    }
    return to.finish();
  }

  /** Throws a CheckpointError where the bytes are not a checkpoint of this view by this version of the code. */
  static restore(view: FeatureView, hash: string, bytes: Uint8Array): WindowEngine {
    const from = new CheckpointReader(bytes);
    const version = from.number();
    if (version !== CHECKPOINT_VERSION)
      throw new CheckpointError(`checkpoint version ${version}, this code reads ${CHECKPOINT_VERSION}`);
    const savedHash = from.text();
    if (savedHash !== hash) throw new CheckpointError(`a checkpoint of view ${savedHash}, not of ${hash}`);
    const engine = new WindowEngine(view, hash, from.number());
    engine.#lastOffset = from.number();
    engine.#lastIndex = from.number();
    Object.assign(engine.#counters, JSON.parse(from.text()));
    for (let left = from.count(); left > 0; left--) {
      const device = from.text();
      engine.#devices.set(device, new DeviceWindows(engine.#plan, engine.#counters, engine.#samples, from));
    }
    from.end();
    return engine;
  }

  #checkOrder(offset: number, index: number): void {
    if (offset < this.#lastOffset || (offset === this.#lastOffset && index <= this.#lastIndex))
      throw new Error(
        `broken promise: readings come in order, but ${offset}/${index} came after ${this.#lastOffset}/${this.#lastIndex}`,
      );
    this.#lastOffset = offset;
    this.#lastIndex = index;
  }

  #target(series: Series | undefined): Target {
    if (series === undefined) throw new Error("broken promise: a reading names a series of its block");
    const metric = this.#plan.metrics.indexOf(series.metric);
    if (metric === -1 || series.deviceType !== this.view.match.deviceType) return IGNORED;
    let windows = this.#devices.get(series.device);
    if (windows === undefined) {
      if (this.#devices.size >= DEVICES_MAX) return SHED;
      windows = new DeviceWindows(this.#plan, this.#counters, this.#samples);
      this.#devices.set(series.device, windows);
    }
    return { state: "held", windows, metric };
  }

  #vector(result: WindowResult, block: ReadingBlock, row: number): FeatureVector {
    const series = block.series[block.seriesIndex[row] ?? -1];
    this.#counters.vectors += 1;
    if (result.revision > 0) this.#counters.revisions += 1;
    return {
      view: this.view.name,
      viewHash: this.hash,
      device: series?.device ?? "",
      deviceType: this.view.match.deviceType,
      windowStartUs: result.startUs,
      windowEndUs: result.endUs,
      revision: result.revision,
      sinceOffset: this.sinceOffset,
      throughOffset: block.offset[row] ?? Number.NaN,
      closedAtUs: block.receivedAtUs[row] ?? Number.NaN,
      closedBy: "watermark",
      readingCount: result.readingCount,
      values: result.values,
      violations: [],
      withheld: false,
    };
  }
}
