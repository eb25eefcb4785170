import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeptWindow } from "@sluice/edge/buffer/kept-windows.ts";
import type { AppendedRows } from "@sluice/edge/buffer/pending.ts";
import { StateStore } from "@sluice/edge/buffer/state-store.ts";
import { encodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { Label } from "@sluice/shared/contract/label.ts";
import type { Prediction } from "@sluice/shared/contract/prediction.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";

/** How many rows of each kind the messages of a step give. */
export interface StepRows {
  readonly messages: number;
  /** One reading for each message, unless it says otherwise. */
  readonly readings?: number;
  readonly labels?: number;
  readonly predictions?: number;
}

/** The gateway's own state file in a folder of its own, filled by steps as the pipeline makes them. */
export class BufferWithRows {
  readonly #dir = mkdtempSync(join(tmpdir(), "sluice-sync-"));
  readonly #clock: Clock;
  /** The event times of the steps' readings. */
  readonly stepTimes: number[] = [];
  state: StateStore;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.state = this.#open();
  }

  /** As after a crash: what was not committed is gone, the rest is there. */
  reopen(): void {
    this.state.close();
    this.state = this.#open();
  }

  close(): void {
    this.state.close();
    rmSync(this.#dir, { recursive: true });
  }

  /** Commits one step of the next messages. */
  step({ messages, readings = messages, labels = 0, predictions = 0 }: StepRows): void {
    const from = this.state.decodedThrough + 1;
    const to = from + messages - 1;
    const at = this.#clock.nowUs();
    this.stepTimes.push(at);
    const seq = this.state.nextSeq("predictions");
    const appended: AppendedRows[] = [];
    if (readings > 0)
      appended.push({
        stream: "readings",
        from,
        to,
        rows: readings,
        chunk: encodeChunk("readings", block(from, readings, at)),
      });
    if (labels > 0) {
      const rows = Array.from({ length: labels }, () => label(to, at));
      appended.push({ stream: "labels", from, to, rows: labels, chunk: encodeChunk("labels", rows) });
    }
    if (predictions > 0) {
      const rows = Array.from({ length: predictions }, (_, i) => prediction(seq + i, at));
      const last = seq + predictions - 1;
      const chunk = encodeChunk("predictions", rows);
      appended.push({ stream: "predictions", from: seq, to: last, rows: predictions, chunk });
    }
    this.state.commitStep({ throughOffset: to, appended, counters: {} });
  }

  /** Commits that a window is anomalous. */
  keep(window: KeptWindow): void {
    this.state.commitStep({
      throughOffset: this.state.decodedThrough,
      appended: [],
      kept: [window],
      counters: {},
    });
  }

  #open(): StateStore {
    return StateStore.open({ dir: this.#dir, clock: this.#clock, log: silentLog });
  }
}

/** One reading a message, from message `offset` on; the value tells which message it was. */
function block(offset: number, count: number, atUs: number): ReadingBlock {
  const numbers = Float64Array.from({ length: count }, (_, i) => offset + i);
  return {
    count,
    series: [{ device: "pump-1", deviceType: "pump", metric: "current", unit: "A" }],
    seriesIndex: new Uint32Array(count),
    offset: numbers,
    index: new Uint32Array(count),
    measuredAtUs: new Float64Array(count).fill(atUs),
    receivedAtUs: new Float64Array(count).fill(atUs),
    value: numbers,
    clock: new Uint8Array(count),
    withheld: new Uint8Array(count),
  };
}

const label = (offset: number, atUs: number): Label => ({
  offset,
  device: "pump-1",
  fromUs: atUs,
  toUs: atUs + 1,
  label: "normal",
  author: "operator",
  note: "",
  knownAtUs: atUs,
});

const prediction = (seq: number, atUs: number): Prediction => ({
  seq,
  vectorSeq: seq,
  device: "pump-1",
  deviceType: "pump",
  viewHash: "0".repeat(64),
  windowStartUs: atUs,
  windowEndUs: atUs + 1,
  revision: 0,
  model: "pumps",
  version: 1,
  slot: "champion",
  score: 0.5,
  threshold: 1,
  anomalous: false,
  missingCount: 0,
  unlikeTraining: [],
  top: [],
  predictedAtUs: atUs,
});
