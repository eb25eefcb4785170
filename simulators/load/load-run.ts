import { setMaxListeners } from "node:events";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { PublisherStats } from "../fleet/publisher.ts";
import { LatencyHistogram } from "../fleet/latency-histogram.ts";
import type { LatencySummary } from "../fleet/latency-histogram.ts";
import type { PayloadMaker } from "./payload.ts";

/** What a load needs of each of its clients. */
export interface LoadClient {
  publish(topic: string, payload: string): Promise<void>;
  room(signal: AbortSignal): Promise<void>;
  drain(deadlineMs: number): Promise<number>;
  stats(): PublisherStats;
}

export interface LoadRun {
  readonly clients: readonly LoadClient[];
  /** Messages a second over all clients; 0: as fast as their windows allow. */
  readonly rate: number;
  readonly durationMs: number;
  readonly drainMs: number;
  /** Each client's topic. */
  readonly topic: (client: number) => string;
  readonly payloads: PayloadMaker;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What a load has measured. */
export interface LoadResult {
  readonly clients: number;
  readonly sent: number;
  readonly acknowledged: number;
  /** Acknowledgements a second, from the first publish to the last acknowledgement. */
  readonly perSecond: number;
  readonly elapsedMs: number;
  /** From when a message was due (with a rate) or had its place in the window (without) to its acknowledgement. */
  readonly latencyMs: LatencySummary;
  readonly resent: number;
  readonly reconnects: number;
  readonly lost: number;
  /** Due messages that their client could not take: thousands of others waited before them. */
  readonly overloaded: number;
  readonly unacknowledged: number;
}

/** How often due messages are handed out; half a millisecond of latency is the price. */
const TICK_MS = 1;

/** Puts a load on a broker and measures how it is borne. */
export async function runLoad(run: LoadRun): Promise<LoadResult> {
  const { clients, rate, clock, drainMs } = run;
  const meter = new Meter(run);
  const startUs = clock.monotonicUs();
  if (rate === 0) await saturate(run, meter, startUs);
  else await pace(run, meter, startUs);
  const left = await Promise.all(clients.map((client) => client.drain(drainMs)));
  const stats = clients.map((client) => client.stats());
  const sum = (pick: (one: PublisherStats) => number): number =>
    stats.reduce((total, one) => total + pick(one), 0);
  const elapsedUs = Math.max(1, meter.lastAtUs - startUs);
  const acknowledged = sum((one) => one.acknowledged);
  return {
    clients: clients.length,
    sent: sum((one) => one.sent),
    acknowledged,
    perSecond: Math.round((acknowledged * 1e6) / elapsedUs),
    elapsedMs: Math.round(elapsedUs / 1_000),
    latencyMs: meter.latency.summary(),
    resent: sum((one) => one.resent),
    reconnects: sum((one) => one.reconnects),
    lost: sum((one) => one.lost),
    overloaded: meter.overloaded,
    unacknowledged: left.reduce((total, count) => total + count, 0),
  };
}

/** Publishes and notes when each acknowledgement came. */
class Meter {
  readonly latency = new LatencyHistogram();
  overloaded = 0;
  lastAtUs = 0;
  readonly #run: LoadRun;

  constructor(run: LoadRun) {
    this.#run = run;
  }

  async publish(client: LoadClient, number: number, dueUs: number): Promise<void> {
    const { topic, payloads, clock } = this.#run;
    try {
      await client.publish(topic(number), payloads.make(clock.nowUs()));
    } catch {
      this.overloaded++;
      return;
    }
    this.lastAtUs = clock.monotonicUs();
    this.latency.add(this.lastAtUs - dueUs);
  }
}

/**
 * Hands out messages when they are due, whether or not earlier ones were acknowledged: a broker that stalls is
 * charged with every message that was due meanwhile.
 */
async function pace(run: LoadRun, meter: Meter, startUs: number): Promise<void> {
  const { clients, rate, durationMs, clock, signal } = run;
  const total = Math.round((rate * durationMs) / 1_000);
  let issued = 0;
  while (issued < total && !signal.aborted) {
    const due = Math.min(total, Math.floor(((clock.monotonicUs() - startUs) * rate) / 1e6) + 1);
    for (; issued < due; issued++) {
      const number = issued % clients.length;
      const client = clients[number];
      if (client !== undefined) void meter.publish(client, number, startUs + (issued * 1e6) / rate);
    }
    await clock.sleep(TICK_MS, signal);
  }
}

/** Keeps every client's window full. */
async function saturate(run: LoadRun, meter: Meter, startUs: number): Promise<void> {
  const { clients, durationMs, clock, signal } = run;
  const endUs = startUs + durationMs * 1_000;
  const over = new AbortController();
  // Every client listens to it.
  setMaxListeners(0, over.signal);
  const timer = clock.sleep(durationMs, signal).finally(() => over.abort());
  await Promise.all(
    clients.map(async (client, number) => {
      for (;;) {
        await client.room(over.signal);
        const nowUs = clock.monotonicUs();
        if (over.signal.aborted || nowUs >= endUs) return;
        void meter.publish(client, number, nowUs);
      }
    }),
  );
  await timer;
}
