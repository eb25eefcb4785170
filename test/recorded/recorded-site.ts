import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { GroupWriter } from "../../edge/buffer/message-group.ts";
import { SegmentLog } from "../../edge/buffer/segment-log.ts";
import { StateStore } from "../../edge/buffer/state-store.ts";
import type { ComputedView } from "../../edge/features/feature-stage.ts";
import { InferenceStage } from "../../edge/inference/inference-stage.ts";
import { inferenceSettingsSchema } from "../../edge/inference/settings.ts";
import { Pipeline } from "../../edge/pipeline.ts";
import { decoderOf } from "./decode-recording.ts";
import type { Recording } from "./recording.ts";

/** A clock that stands where the last message came. */
class ArrivalClock implements Clock {
  #nowUs: number;
  #bootedAtUs: number;

  constructor(nowUs: number) {
    this.#nowUs = nowUs;
    this.#bootedAtUs = nowUs;
  }

  nowUs(): number {
    return this.#nowUs;
  }

  monotonicUs(): number {
    return this.#nowUs - this.#bootedAtUs;
  }

  sleep(): Promise<void> {
    return Promise.reject(new Error("nothing waits here"));
  }

  set(nowUs: number): void {
    this.#nowUs = Math.max(this.#nowUs, nowUs);
  }

  boot(): void {
    this.#bootedAtUs = this.#nowUs;
  }
}

interface Parts {
  readonly state: StateStore;
  readonly messages: SegmentLog;
  readonly pipeline: Pipeline;
}

/** The buffer and the pipeline of a real gateway in a folder, fed with a recording. */
export class RecordedSite {
  readonly #dir: string;
  readonly #recording: Recording;
  readonly #clock: ArrivalClock;
  #boots = 0;
  #parts: Parts;
  /** Messages that the buffer knew by their packet. */
  redeliveries = 0;

  constructor(dir: string, recording: Recording) {
    this.#dir = dir;
    this.#recording = recording;
    this.#clock = new ArrivalClock(recording.messages[0]?.endUs ?? 0);
    mkdirSync(dir, { recursive: true });
    this.#parts = this.#open();
  }

  /** Stores a group, synced. */
  publish(messages: readonly IncomingMessage[]): void {
    const group = new GroupWriter();
    for (const message of messages) group.append(message);
    this.#clock.set(messages.at(-1)?.receivedAtUs ?? 0);
    this.redeliveries += this.#parts.messages.append(new Uint8Array(group.take())).duplicates;
  }

  /** One step: what has come is decoded, computed and committed. Returns whether more is waiting. */
  step(): boolean {
    return this.#parts.pipeline.step();
  }

  checkpoint(): void {
    this.#parts.pipeline.checkpoint();
  }

  /** A power cut: without a checkpoint at the end. */
  restart(): void {
    this.close();
    this.#clock.boot();
    this.#parts = this.#open();
  }

  close(): void {
    this.#parts.messages.close();
    this.#parts.state.close();
  }

  views(): readonly ComputedView[] {
    return this.#parts.pipeline.features.views();
  }

  get counters(): Readonly<Record<string, number>> {
    return this.#parts.state.counters();
  }

  /** What is on its way to the lake, one chunk after another. */
  *readings(): Generator<ReadingBlock> {
    for (const chunk of this.#parts.state.readPending("readings", 1e9).chunks)
      yield decodeChunk("readings", chunk);
  }

  *vectors(): Generator<StoredVector> {
    for (const chunk of this.#parts.state.readPending("features", 1e9).chunks)
      yield* decodeChunk("features", chunk);
  }

  #open(): Parts {
    const clock = this.#clock;
    const log = silentLog;
    const bootId = `boot-${this.#boots++}`;
    const state = StateStore.open({ dir: this.#dir, clock, log });
    const messages = SegmentLog.open({
      dir: join(this.#dir, "segments"),
      limits: { segmentBytesMax: 4_194_304, diskBytesMax: 8_589_934_592, redeliveryEntriesMax: 1_000 },
      floorOffset: state.decodedThrough + 1,
      bootId,
      otherBytes: () => 0,
      clock,
      log,
    });
    const pipeline = new Pipeline({
      log: messages,
      state,
      decoder: decoderOf(this.#recording),
      inference: new InferenceStage({ settings: inferenceSettingsSchema.parse({}), gateway: "gw-1" }),
      views: this.#recording.views,
      clock,
      bootId,
      announce: () => undefined,
    });
    pipeline.begin();
    return { state, messages, pipeline };
  }
}
