import type { SyncSettings } from "@sluice/edge/sync/settings.ts";
import { syncSettingsSchema } from "@sluice/edge/sync/settings.ts";
import { Uplink } from "@sluice/edge/sync/uplink.ts";
import { numberAt } from "@sluice/shared/codec/columns.ts";
import { decodeLanding, encodeLanding } from "@sluice/shared/codec/landing.ts";
import { landingKey, type LandingRange, parseLandingKey } from "@sluice/shared/contract/lake-key.ts";
import type { StreamRows } from "@sluice/shared/contract/rows.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { BufferWithRows } from "./buffer-with-rows.ts";

const GATEWAY = "site-1";

export const settingsOf = (changes: Partial<SyncSettings>): SyncSettings => syncSettingsSchema.parse(changes);

export interface Landed extends LandingRange {
  readonly key: string;
  readonly rows: number;
}

/** A gateway's buffer, its uplink, and a lake whose link can be broken in the ways that links break. */
export class Site {
  readonly clock = new SimulatedClock(1_800_000_000_000_000);
  readonly buffer = new BufferWithRows(this.clock);
  readonly lake = new MemoryStore();
  /** The keys of all tries to put, in order. */
  readonly puts: string[] = [];
  readonly failures: Error[] = [];
  /** Hears of each try to put. */
  heard: () => void = () => undefined;
  /** How long after a reading came its windows are closed. */
  settleUs = 0;
  encodings = 0;
  proofs = 0;
  provable = true;
  uplink: Uplink;
  readonly #settings: SyncSettings;
  readonly #lines: { readonly level: keyof Log; readonly message: string }[] = [];
  #link: (key: string, put: () => Promise<"created" | "exists">) => Promise<"created" | "exists"> = (
    _,
    put,
  ) => put();

  constructor(settings: SyncSettings) {
    this.#settings = settings;
    this.uplink = this.#create();
  }

  start(): Promise<void> {
    return this.uplink.start();
  }

  /** Kills the gateway where it is and starts it again over what is on disk. */
  async restart(): Promise<void> {
    const link = this.#link;
    // The old uplink finds no buffer and no lake any more, as after a kill.
    this.#link = () => new Promise(() => undefined);
    const stopping = this.uplink.stop();
    await this.advance(this.#settings.stopFlushMs + 1_000);
    await stopping;
    this.#link = link;
    this.buffer.reopen();
    this.uplink = this.#create();
    await this.start();
  }

  async close(): Promise<void> {
    const stopping = this.uplink.stop();
    await this.advance(this.#settings.stopFlushMs + 1_000);
    await stopping;
    this.buffer.close();
  }

  async advance(ms: number): Promise<void> {
    // What hangs on promises alone gets its turns between two moments.
    for (let left = ms; left > 0; left -= 250) {
      await this.clock.advance(Math.min(250, left));
      for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  lakeWorks(): void {
    this.#link = (_, put) => put();
  }

  lakeFails(error: PipelineError, keys = /./): void {
    this.#link = async (key, put) => {
      if (keys.test(key)) throw error;
      return put();
    };
  }

  lakeHangs(): void {
    this.#link = () => new Promise(() => undefined);
  }

  /** Puts of some keys never end; the others work. */
  hangs(keys: RegExp): void {
    this.#link = (key, put) => (keys.test(key) ? new Promise(() => undefined) : put());
  }

  /** Objects arrive, but the gateway never hears of it. */
  loseAnswers(): void {
    this.#link = async (_, put) => {
      await put();
      throw new PipelineError("store.unavailable", "the answer was lost");
    };
  }

  logged(level: keyof Log): string[] {
    return this.#lines.filter((line) => line.level === level).map((line) => line.message);
  }

  keyOf(stream: Stream, from: number, to: number): string {
    return landingKey({ stream, gateway: GATEWAY, epoch: this.buffer.state.epoch, from, to });
  }

  /** What is in the lake, by key, each object decoded. */
  async landed(): Promise<Landed[]> {
    const found: Landed[] = [];
    for await (const { key } of this.lake.list("landing/")) {
      const range = parseLandingKey(key);
      const result = await this.lake.get(key);
      if (range === undefined || result.state !== "found") throw new Error(`${key} is a landing object`);
      found.push({ ...range, key, rows: decodeLanding(range.stream, result.object.body).count });
    }
    return found;
  }

  /** Event times of the readings in the lake, in order. */
  async measuredAt(): Promise<number[]> {
    const times: number[] = [];
    for (const { stream, key } of await this.landed()) {
      const result = stream === "readings" ? await this.lake.get(key) : undefined;
      if (result?.state !== "found") continue;
      const { columns, count } = decodeLanding("readings", result.object.body);
      for (let row = 0; row < count; row++) times.push(numberAt(columns["measured_at"], row));
    }
    return times;
  }

  #create(): Uplink {
    const log = (level: keyof Log) => (_: object, message: string) =>
      void this.#lines.push({ level, message });
    const lake = this.lake;
    const store: ObjectStore = {
      put: (key, body, options) => {
        this.puts.push(key);
        this.heard();
        return this.#link(key, () => lake.put(key, body, options));
      },
      get: (key, options) => lake.get(key, options),
      head: (key) => lake.head(key),
      list: (prefix, options) => lake.list(prefix, options),
      delete: (key) => lake.delete(key),
    };
    return new Uplink({
      settings: this.#settings,
      gateway: GATEWAY,
      store,
      pending: this.buffer.state,
      encode: <S extends Stream>(stream: S, chunks: readonly StreamRows[S][]) => {
        this.encodings += 1;
        return encodeLanding(stream, chunks);
      },
      prove: async () => {
        this.proofs += 1;
        if (!this.provable) throw new PipelineError("store.no_conditional_put", "it overwrites");
      },
      settleUs: () => this.settleUs,
      clock: this.clock,
      random: seededRandom(1),
      log: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
      failed: (error) => this.failures.push(error),
    });
  }
}
