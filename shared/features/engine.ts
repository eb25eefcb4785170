import type { FeatureView } from "../contract/feature-view.ts";
import type { ReadingBlock, Series } from "../contract/reading.ts";
import type { FeatureVector } from "../contract/vector.ts";
import { CheckpointError, CheckpointReader, CheckpointWriter } from "./checkpoint.ts";
import { compileView } from "./compile-view.ts";
import { DeviceWindows, type ViewParts } from "./device-windows.ts";
import { COUNTERS, type EngineCounters, noCounters } from "./engine-counters.ts";
import { Inbox } from "./inbox.ts";
import { Samples } from "./samples.ts";
import { NONE, SeriesChain } from "./series-chain.ts";
import { Silence } from "./silence.ts";
import { VectorContract } from "./vector-contract.ts";
import { windowRule } from "./window-rules.ts";

/** Most devices of one view that an engine holds windows for: bounds what invented device names can use up. */
export const DEVICES_MAX = 65_536;

const CHECKPOINT_VERSION = 5;

/** Where the readings of one series go: to a lane, which is the place of its device and that of its metric in one. */
const LANES = 1;
const UNKNOWN = 0;
const IGNORED = -1;
const SHED = -2;

/**
 * Computes one view: readings in, one vector out for each window that closes or is revised.
 *
 * What a window is, is said by the rule of its kind (AlignedRule, SlidingRule, SessionRule, CountRule), on event time,
 * half-open. Each device has its own watermark: the largest event time that it sent in one of the view's inputs, minus
 * the allowed lateness. A withheld reading counts as not sent.
 *
 * A message is taken whole: the watermark moves at its end, and then each window that its late readings belong to is
 * revised, once, and each window that is due closes. A window can be revised until the watermark is `correctionUs`
 * beyond its end; what comes later is counted.
 *
 * Where the view says so, a device that was silent for `idleAfterMs` has its open windows closed. The time for that is
 * made of the arrival times of all messages that the engine is given, of other devices and types too: it passes with
 * readings, and is no clock's. When such a device sends again, its readings revise those windows.
 *
 * So each vector is made by one message, and the same readings in the same order give the same vectors in the same
 * order and the same bits, however they are cut into blocks and wherever a checkpoint is taken and restored. In which
 * order the readings of a device came within the allowed lateness changes only `throughOffset` and `closedAtUs`.
 *
 * Memory: at most DEVICES_MAX times what DeviceWindows holds, and the names.
 */
export class WindowEngine {
  readonly view: FeatureView;
  readonly hash: string;
  /** Readings of messages before this offset are ignored. */
  readonly sinceOffset: number;
  readonly #parts: ViewParts;
  readonly #counters: EngineCounters = noCounters();
  readonly #devices = new Map<string, DeviceWindows>();
  /** By their places in the inbox. */
  readonly #places: DeviceWindows[] = [];
  readonly #chain = new SeriesChain();
  readonly #silence = new Silence<DeviceWindows>();
  readonly #idleAfterUs: number;
  /** The message that is being taken, or the last one. */
  #offset = -1;
  #index = -1;
  #receivedAtUs = Number.NaN;
  /** Whether more readings of the message may come. */
  #isOpen = false;
  /** Devices for which something is to be done at the end of the message, as they came. */
  #touched: DeviceWindows[] = [];
  #made: FeatureVector[] = [];
  /** Length of the last checkpoint. */
  #checkpointBytes = 4_096;

  /** Throws a ViewError where the function library does not have what the view asks for. */
  constructor(view: FeatureView, hash: string, sinceOffset: number, contract = new VectorContract(view)) {
    this.view = view;
    this.hash = hash;
    this.sinceOffset = sinceOffset;
    const plan = compileView(view);
    this.#parts = {
      plan,
      rule: windowRule(plan.window),
      contract,
      counters: this.#counters,
      inbox: new Inbox(),
      samples: plan.metrics.map(() => new Samples()),
      results: [],
    };
    this.#idleAfterUs = plan.window.idleAfterUs;
  }

  /** Takes the readings of the next messages, all of each. Throws where they are not after those before. */
  process(block: ReadingBlock): FeatureVector[] {
    const vectors = this.take(block);
    vectors.push(...this.settle());
    return vectors;
  }

  /** As `process`, but the last message may go on in the next block: its vectors come with that, or with `settle`. */
  take(block: ReadingBlock): FeatureVector[] {
    const targets = new Int32Array(block.series.length);
    for (let row = 0; row < block.count; row++) this.#takeRow(block, targets, row);
    return this.#takeMade();
  }

  /** Ends the last message: everything of it has been taken. */
  settle(): FeatureVector[] {
    this.#end();
    this.#isOpen = false;
    return this.#takeMade();
  }

  /** Devices whose vectors are withheld now. */
  get withheldDevices(): number {
    return this.#parts.contract.openCount;
  }

  /** The arrival time from which on the next message closes windows of a silent device; infinity where none would. */
  get idleDueAtUs(): number {
    return this.#silence.dueAtUs(this.#idleAfterUs);
  }

  counters(): Readonly<EngineCounters> {
    return { ...this.#counters };
  }

  /** The exact state, between two messages: an engine restored from it goes on with the same bits. */
  checkpoint(): Uint8Array {
    const to = new CheckpointWriter(this.#checkpointBytes);
    this.save(to);
    const bytes = to.finish();
    this.#checkpointBytes = Math.ceil(bytes.length * 1.25);
    return bytes;
  }

  /** Writes the checkpoint. */
  save(to: CheckpointWriter): void {
    if (this.#isOpen) throw broken("a checkpoint is taken between two messages");
    to.number(CHECKPOINT_VERSION);
    to.text(this.hash);
    to.number(this.sinceOffset);
    to.number(this.#offset);
    this.#parts.contract.save(to);
    for (const name of COUNTERS) to.number(this.#counters[name]);
    to.number(this.#devices.size);
    const places = new Map<DeviceWindows, number>();
    for (const windows of this.#devices.values()) {
      places.set(windows, places.size);
      to.text(windows.device);
      windows.save(to);
    }
    to.number(this.#silence.nowUs);
    to.number(this.#silence.arrivedAtUs);
    const heard = [...this.#silence.members()];
    to.column(Float64Array.from(heard, ({ member }) => places.get(member) ?? -1));
    to.column(Float64Array.from(heard, ({ heardAtUs }) => heardAtUs));
  }

  /** Throws a CheckpointError where the bytes are not a checkpoint of this view by this version of the code. */
  static restore(view: FeatureView, hash: string, bytes: Uint8Array): WindowEngine {
    const from = new CheckpointReader(bytes);
    const version = from.number();
    if (version !== CHECKPOINT_VERSION)
      throw new CheckpointError(`checkpoint version ${version}, this code reads ${CHECKPOINT_VERSION}`);
    const savedHash = from.text();
    if (savedHash !== hash) throw new CheckpointError(`a checkpoint of view ${savedHash}, not of ${hash}`);
    const [sinceOffset, offset] = [from.number(), from.number()];
    const engine = new WindowEngine(view, hash, sinceOffset, new VectorContract(view, from));
    engine.#offset = offset;
    for (const name of COUNTERS) engine.#counters[name] = from.count();
    for (let left = from.count(); left > 0; left--) {
      const device = from.text();
      engine.#hold(new DeviceWindows(device, engine.#parts, from));
    }
    engine.#restoreSilence(from);
    from.end();
    engine.#checkpointBytes = Math.ceil(bytes.length * 1.25);
    return engine;
  }

  #restoreSilence(from: CheckpointReader): void {
    this.#silence.resume(from.number(), from.number());
    const all = [...this.#devices.values()];
    const places = from.column();
    const heardAtUs = from.column();
    for (const [i, place] of places.entries()) {
      const windows = all[place];
      if (windows === undefined) throw new CheckpointError(`there is no device ${place}`);
      this.#silence.hear(windows.heard, heardAtUs[i]);
    }
  }

  /** The next message begins, which ends the one before; whoever is silent by then has its windows closed first. */
  #begin(offset: number, receivedAtUs: number): void {
    this.#end();
    if (!(offset > this.#offset))
      throw broken(`messages come in order, but ${offset} came after ${this.#offset}`);
    this.#offset = offset;
    this.#index = -1;
    this.#receivedAtUs = receivedAtUs;
    this.#isOpen = true;
    if (this.#idleAfterUs === Infinity || offset < this.sinceOffset) return;
    this.#silence.pass(receivedAtUs);
    for (;;) {
      const windows = this.#silence.next(this.#idleAfterUs);
      if (windows === undefined) return;
      windows.closeIdle();
      this.#make();
    }
  }

  #follow(offset: number, index: number): void {
    if (!this.#isOpen || !(index > this.#index))
      throw broken(
        `readings come in order, each message whole, but ${offset}/${index} came after ${this.#index}`,
      );
    this.#index = index;
  }

  #end(): void {
    if (this.#touched.length === 0 && this.#parts.results.length === 0) return;
    for (const windows of this.#touched) windows.settle();
    this.#touched = [];
    this.#make();
  }

  /** Takes one reading; `targets` is what is known of where the series of the block go. */
  #takeRow(block: ReadingBlock, targets: Int32Array, row: number): void {
    const offset = block.offset[row] ?? Number.NaN;
    if (offset !== this.#offset) this.#begin(offset, block.receivedAtUs[row] ?? Number.NaN);
    this.#follow(offset, block.index[row] ?? Number.NaN);
    if (offset < this.sinceOffset || block.withheld[row] === 1) return;
    const series = block.seriesIndex[row] ?? -1;
    let target = targets[series] ?? UNKNOWN;
    if (target === UNKNOWN) {
      target = this.#target(block.series[series]);
      targets[series] = target;
    }
    if (target < LANES) {
      if (target === SHED) this.#counters.shedDevices += 1;
      return;
    }
    const { inbox, plan } = this.#parts;
    const width = plan.metrics.length;
    const metric = (target - LANES) % width;
    const place = (target - LANES - metric) / width;
    if (inbox.begin(place, offset) && this.#idleAfterUs !== Infinity) this.#hear(place);
    const timeUs = block.measuredAtUs[row] ?? Number.NaN;
    const value = (block.value[row] ?? Number.NaN) + 0; // Without -0, of which JSON and sorting would make something else.
    if (!inbox.put(place, metric, timeUs, value)) this.#add(place, metric, timeUs, value);
  }

  #target(series: Series | undefined): number {
    if (series === undefined) throw broken("a reading names a series of its block");
    const guess = this.#chain.guess(series);
    if (guess !== NONE) return LANES + guess;
    const { metrics } = this.#parts.plan;
    const metric = metrics.indexOf(series.metric);
    if (metric === -1 || series.deviceType !== this.view.match.deviceType) return IGNORED;
    let windows = this.#devices.get(series.device);
    if (windows === undefined) {
      if (this.#devices.size >= DEVICES_MAX) return SHED;
      windows = new DeviceWindows(series.device, this.#parts);
      this.#hold(windows);
    }
    const lane = windows.place * metrics.length + metric;
    this.#chain.learn(lane, series);
    return LANES + lane;
  }

  #hold(windows: DeviceWindows): void {
    this.#devices.set(windows.device, windows);
    this.#places[windows.place] = windows;
  }

  #hear(place: number): void {
    const windows = this.#places[place];
    if (windows !== undefined) this.#silence.hear(windows.heard);
  }

  /** Takes a reading that does more than to wait. */
  #add(place: number, metric: number, timeUs: number, value: number): void {
    const windows = this.#places[place];
    if (windows === undefined) return;
    const wasTouched = windows.isTouched;
    windows.add(metric, timeUs, value);
    if (!wasTouched && windows.isTouched) this.#touched.push(windows);
  }

  /** Makes vectors of what windows have closed and been revised by the message. */
  #make(): void {
    const { results } = this.#parts;
    for (const result of results) {
      this.#counters.vectors += 1;
      if (result.revision > 0) this.#counters.revisions += 1;
      if (result.closedBy === "idle") this.#counters.idle += 1;
      if (result.violations.length > 0) this.#counters.violating += 1;
      if (result.withheld) this.#counters.withheld += 1;
      this.#made.push({
        view: this.view.name,
        viewHash: this.hash,
        device: result.device,
        deviceType: this.view.match.deviceType,
        windowStartUs: result.startUs,
        windowEndUs: result.endUs,
        revision: result.revision,
        sinceOffset: this.sinceOffset,
        throughOffset: this.#offset,
        closedAtUs: this.#receivedAtUs,
        closedBy: result.closedBy,
        readingCount: result.readingCount,
        values: result.values,
        violations: result.violations,
        withheld: result.withheld,
      });
    }
    results.length = 0;
  }

  #takeMade(): FeatureVector[] {
    const made = this.#made;
    this.#made = [];
    return made;
  }
}

/** A promise of ours: what would follow cannot be trusted. */
const broken = (promise: string): Error => new Error(`broken promise: ${promise}`);
