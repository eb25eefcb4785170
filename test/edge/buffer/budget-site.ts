import { join } from "node:path";
import { DiskBudget } from "@sluice/edge/buffer/disk-budget.ts";
import type { KeptWindow } from "@sluice/edge/buffer/kept-windows.ts";
import { SegmentLog } from "@sluice/edge/buffer/segment-log.ts";
import type { WhenFull } from "@sluice/edge/buffer/shed-plan.ts";
import { StateStore } from "@sluice/edge/buffer/state-store.ts";
import { deliver } from "@sluice/edge/sync/deliver.ts";
import { sealNext } from "@sluice/edge/sync/seal.ts";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import { encodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { STREAMS, type Stream } from "@sluice/shared/contract/stream.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { type Log, silentLog } from "@sluice/shared/runtime/log.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { prediction, vector } from "../../cloud/lake/rows.ts";
import { numbered } from "./fixtures.ts";

export const START_US = 1_795_219_200_000_000;

/** Every message gives as many readings, of one device. */
export const READINGS_PER_MESSAGE = 3;
const DEVICES = 4;
const STEP_US = 1_000_000;

export const measuredAtUs = (offset: number): number => START_US + offset * STEP_US;
export const deviceOf = (offset: number): string => `pump-${offset % DEVICES}`;

export interface SiteLimits {
  readonly diskBytesMax: number;
  readonly whenFull?: WhenFull;
  readonly thinningMax?: number;
  readonly settleUs?: number;
  readonly log?: Log;
}

/** A gateway's buffer at its disk budget: messages and what follows from them come in, and the lake takes them or not. */
export class BudgetSite {
  readonly clock = new SimulatedClock(START_US);
  readonly lake = new MemoryStore();
  readonly #dir: string;
  readonly #limits: SiteLimits;
  readonly #random = seededRandom(7);
  state: StateStore;
  messages: SegmentLog;
  budget: DiskBudget;

  constructor(dir: string, limits: SiteLimits) {
    this.#dir = dir;
    this.#limits = limits;
    ({ state: this.state, messages: this.messages, budget: this.budget } = this.#open());
  }

  reopen(): void {
    this.close();
    ({ state: this.state, messages: this.messages, budget: this.budget } = this.#open());
  }

  close(): void {
    this.messages.close();
    this.state.close();
  }

  /** Stores and derives so many messages; the windows are those that a model called anomalous. */
  step(count: number, kept: readonly KeptWindow[] = []): void {
    const from = this.state.decodedThrough + 1;
    this.messages.append(numbered(from, count, 200));
    const to = from + count - 1;
    const seq = this.state.nextSeq("features");
    const vectors = kept.map(({ device, fromUs, toUs }, i) =>
      vector(seq + i, { device, windowStartUs: fromUs, windowEndUs: toUs }),
    );
    // Beside every anomalous window one that is not.
    const rows = [...vectors, vector(seq + vectors.length, { device: "pump-9" })];
    const last = seq + rows.length - 1;
    this.state.commitStep({
      throughOffset: to,
      appended: [
        {
          stream: "readings",
          from,
          to,
          rows: count * READINGS_PER_MESSAGE,
          chunk: this.#readings(from, count),
        },
        { stream: "features", from: seq, to: last, rows: rows.length, chunk: encodeChunk("features", rows) },
        {
          stream: "predictions",
          from: seq,
          to: last,
          rows: rows.length,
          chunk: encodeChunk(
            "predictions",
            rows.map((row) => prediction(row.seq)),
          ),
        },
      ],
      kept,
      counters: { messages: count, readings: count * READINGS_PER_MESSAGE },
    });
  }

  /** Covers everything that was derived. */
  checkpoint(): void {
    const throughOffset = this.state.decodedThrough;
    this.state.commitStep({ throughOffset, appended: [], counters: {}, checkpoint: Uint8Array.of(1) });
  }

  seal(stream: Stream, batchRowsMax = 3_000): void {
    const { state } = this;
    if (state.pending(stream).rows > 0)
      sealNext(stream, { store: state, gateway: "gw-1", encode: encodeLanding, batchRowsMax });
  }

  /** Sends the oldest batch of a stream; the lake has it, and the gateway hears of it or not. */
  async send(stream: Stream, answered: boolean): Promise<boolean> {
    const [oldest] = this.state.peekOutbox(1, stream);
    if (oldest === undefined) return false;
    const batch = this.state.beginUpload(oldest.id);
    if (batch === undefined) throw new Error("what is in the outbox can be sent");
    await deliver(this.lake, batch);
    if (answered) this.state.markDelivered(batch.id);
    return true;
  }

  /** Makes room until there is enough, or nothing is left to give up. */
  keep(): void {
    for (let i = 0; i < 10_000; i++) if (!this.budget.keep()) return;
    throw new Error("making room comes to an end");
  }

  /** Everything goes to the lake. */
  async drain(): Promise<void> {
    for (const stream of STREAMS) {
      while (this.state.pending(stream).rows > 0) this.seal(stream, 1_000_000);
      while (await this.send(stream, true));
    }
  }

  #readings(from: number, count: number): Uint8Array {
    const rows = Array.from({ length: count * READINGS_PER_MESSAGE }, (_, i) => ({
      offset: from + Math.floor(i / READINGS_PER_MESSAGE),
      index: i % READINGS_PER_MESSAGE,
    }));
    const series = Array.from({ length: DEVICES * READINGS_PER_MESSAGE }, (_, i) => ({
      device: `pump-${Math.floor(i / READINGS_PER_MESSAGE)}`,
      deviceType: "pump",
      metric: `metric_${i % READINGS_PER_MESSAGE}`,
      unit: undefined,
    }));
    const block: ReadingBlock = {
      count: rows.length,
      series,
      seriesIndex: Uint32Array.from(
        rows,
        ({ offset, index }) => (offset % DEVICES) * READINGS_PER_MESSAGE + index,
      ),
      offset: Float64Array.from(rows, ({ offset }) => offset),
      index: Uint32Array.from(rows, ({ index }) => index),
      measuredAtUs: Float64Array.from(rows, ({ offset }) => measuredAtUs(offset)),
      receivedAtUs: Float64Array.from(rows, ({ offset }) => measuredAtUs(offset)),
      value: Float64Array.from(rows, () => this.#random.next()),
      clock: new Uint8Array(rows.length),
      withheld: new Uint8Array(rows.length),
    };
    return encodeChunk("readings", block);
  }

  #open() {
    const { diskBytesMax, whenFull = "shed", thinningMax = 4, settleUs = 0, log = silentLog } = this.#limits;
    const { clock } = this;
    const state = StateStore.open({ dir: this.#dir, clock, log });
    const messages = SegmentLog.open({
      dir: join(this.#dir, "segments"),
      limits: { segmentBytesMax: 262_144, diskBytesMax, redeliveryEntriesMax: 500 },
      floorOffset: state.decodedThrough + 1,
      bootId: "boot",
      otherBytes: () => state.diskBytes(),
      clock,
      log,
    });
    const budget = new DiskBudget({
      messages,
      state,
      policy: { diskBytesMax, whenFull, thinningMax },
      otherBytes: () => 0,
      neededFromOffset: () => Infinity,
      checkpoint: () => this.checkpoint(),
      settleUs: () => settleUs,
      clock,
      log,
    });
    return { state, messages, budget };
  }
}
