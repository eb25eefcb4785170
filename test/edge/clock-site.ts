import { join } from "node:path";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { GatewayEvent } from "@sluice/shared/contract/event.ts";
import { CLOCKS, type ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { STREAMS } from "@sluice/shared/contract/stream.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import { SimulatedClock, type Clock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { SegmentLog } from "../../edge/buffer/segment-log.ts";
import { StateStore } from "../../edge/buffer/state-store.ts";
import { Decoder } from "../../edge/decode/decoder.ts";
import { decodeSettingsSchema } from "../../edge/decode/settings.ts";
import { InferenceStage } from "../../edge/inference/inference-stage.ts";
import { inferenceSettingsSchema } from "../../edge/inference/settings.ts";
import { Pipeline } from "../../edge/pipeline.ts";
import { viewOf } from "../shared/features/readings.ts";
import { groupOf, messageOf } from "./buffer/fixtures.ts";

/** The right time at which every site begins. */
export const RIGHT_US = Date.parse("2026-11-21T08:00:00Z") * 1_000;

const VIEW = viewOf([{ fn: "count" }, { fn: "mean" }], {
  kind: "tumbling",
  sizeMs: 1_000,
  allowedLatenessMs: 500,
  correctionMs: 1_000,
});

/** A wall clock that can be set, and a monotonic one that cannot. */
class SettableClock implements Clock {
  readonly #time = new SimulatedClock(0);
  #offUs: number;
  #bootedAtUs = 0;

  constructor(wallUs: number) {
    this.#offUs = wallUs;
  }

  /** What a clock that is always right says: it began at RIGHT_US. */
  rightUs(): number {
    return RIGHT_US + this.#time.nowUs();
  }

  nowUs(): number {
    return this.#time.nowUs() + this.#offUs;
  }

  monotonicUs(): number {
    return this.#time.nowUs() - this.#bootedAtUs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#time.sleep(ms, signal);
  }

  advance(ms: number): Promise<void> {
    return this.#time.advance(ms);
  }

  step(byUs: number): void {
    this.#offUs += byUs;
  }

  boot(): void {
    this.#bootedAtUs = this.#time.nowUs();
  }
}

interface Parts {
  readonly state: StateStore;
  readonly messages: SegmentLog;
  readonly pipeline: Pipeline;
}

/** A gateway's buffer and pipeline over a folder, with a clock that can be set, and devices with and without a clock. */
export class ClockSite {
  readonly clock: SettableClock;
  /** Of each message, when it came by a clock that is right. */
  readonly arrivedUs: number[] = [];
  readonly #dir: string;
  readonly #decode: object;
  readonly #delivered: ReadingBlock[] = [];
  #boots = 0;
  #parts: Parts;

  constructor(dir: string, wallUs = RIGHT_US, decode: object = {}) {
    this.#dir = dir;
    this.#decode = decode;
    this.clock = new SettableClock(wallUs);
    this.#parts = this.#open();
  }

  get pipeline(): Pipeline {
    return this.#parts.pipeline;
  }

  get log(): SegmentLog {
    return this.#parts.messages;
  }

  get counters(): Readonly<Record<string, number>> {
    return this.#parts.state.counters();
  }

  /**
   * One group: `count` messages, one every 100 ms, from a device without a clock, or from one that has the right time
   * plus `aheadUs`. Before message `stepAt` the gateway's clock is set; after the last where that is `count`.
   */
  async publish(
    count: number,
    { stepUs = 0, stepAt = 0, aheadUs }: { stepUs?: number; stepAt?: number; aheadUs?: number } = {},
  ): Promise<void> {
    const group = [];
    for (let i = 0; i < count; i++) {
      if (i === stepAt) this.clock.step(stepUs);
      const n = this.arrivedUs.push(this.clock.rightUs());
      group.push({
        client: "plc",
        packetId: (n % 65_535) + 1,
        qos: 1 as const,
        dup: false,
        retain: false,
        topic: aheadUs === undefined ? "plant/p1/values/a" : "plant/p2/telemetry",
        payload: new TextEncoder().encode(
          aheadUs === undefined ? String(n) : JSON.stringify({ t: this.clock.rightUs() + aheadUs, a: n }),
        ),
        receivedAtUs: this.clock.nowUs(),
      });
      if (i < count - 1) await this.clock.advance(100);
    }
    if (stepAt >= count) this.clock.step(stepUs);
    this.log.append(groupOf(group)); // Committed within the gap to the next message.
    await this.clock.advance(100);
  }

  /** One group of telemetry with the devices' own times, a reading each. */
  send(sent: readonly { readonly device: string; readonly atUs: number; readonly a: number }[]): void {
    this.log.append(
      groupOf(
        sent.map(({ device, atUs, a }) =>
          messageOf(JSON.stringify({ t: atUs, a }), {
            topic: `plant/${device}/telemetry`,
            packetId: (this.arrivedUs.push(this.clock.rightUs()) % 65_535) + 1,
            receivedAtUs: this.clock.nowUs(),
          }),
        ),
      ),
    );
  }

  /** Brings what is derived to the lake, which takes everything. */
  deliver(): void {
    const { state } = this.#parts;
    for (const stream of STREAMS) {
      const { ids, from, to, rows, chunks } = state.readPending(stream, 1e9);
      if (rows === 0) continue;
      this.#delivered.push(
        ...(stream === "readings" ? chunks.map((chunk) => decodeChunk("readings", chunk)) : []),
      );
      const body = Buffer.concat(chunks);
      state.seal({ stream, from, to, rows, key: `${stream}/${from}`, sha256: "0", body }, ids);
      for (const { id } of state.peekOutbox(9, stream)) state.markDelivered(id);
    }
  }

  /** Works off what has come. */
  run(): void {
    while (this.pipeline.step());
  }

  /** A power cut: without a checkpoint at the end; the next boot has its own monotonic clock. */
  restart(): void {
    this.close();
    this.clock.boot();
    this.#parts = this.#open();
  }

  close(): void {
    this.#parts.messages.close();
    this.#parts.state.close();
  }

  readings(): readonly ReadingBlock[] {
    const { chunks } = this.#parts.state.readPending("readings", 1e9);
    return [...this.#delivered, ...chunks.map((chunk) => decodeChunk("readings", chunk))];
  }

  /** offset → the clock that stamped its reading. */
  clocks(): ReadonlyMap<number, string> {
    return new Map(
      this.readings().flatMap((block) =>
        Array.from(block.offset, (offset, row) => [offset, CLOCKS[block.clock[row] ?? -1] ?? ""] as const),
      ),
    );
  }

  vectors(): readonly StoredVector[] {
    const { chunks } = this.#parts.state.readPending("features", 1e9);
    return chunks.flatMap((chunk) => decodeChunk("features", chunk));
  }

  events(): readonly GatewayEvent[] {
    const { chunks } = this.#parts.state.readPending("events", 1e9);
    return chunks.flatMap((chunk) => decodeChunk("events", chunk));
  }

  #open(): Parts {
    const { clock } = this;
    const log = silentLog;
    const bootId = `boot-${this.#boots++}`;
    const state = StateStore.open({ dir: this.#dir, clock, log });
    const messages = SegmentLog.open({
      dir: join(this.#dir, "segments"),
      limits: { segmentBytesMax: 65_536, diskBytesMax: 1_073_741_824, redeliveryEntriesMax: 100 },
      floorOffset: state.decodedThrough + 1,
      bootId,
      otherBytes: () => 0,
      clock,
      log,
    });
    const decode = decodeSettingsSchema.parse({
      routes: [
        { topic: "plant/{device}/values/{metric}", deviceType: "pump", payload: { format: "number" } },
        {
          topic: "plant/{device}/telemetry",
          deviceType: "pump",
          payload: { format: "json", time: { path: "t", unit: "us" }, metrics: { a: "a" } },
        },
      ],
      ...this.#decode,
    });
    const pipeline = new Pipeline({
      log: messages,
      state,
      decoder: new Decoder({ routes: decode.routes, contracts: [], limits: decode }),
      inference: new InferenceStage({ settings: inferenceSettingsSchema.parse({}), gateway: "gw-1" }),
      views: [VIEW],
      clock,
      bootId,
      announce: () => undefined,
    });
    pipeline.begin();
    return { state, messages, pipeline };
  }
}
