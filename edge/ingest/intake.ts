import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { PublishRefusal } from "./access.ts";
import type { AdmissionRefusal } from "./admissions.ts";
import type { DoorRefusal } from "./front-doors.ts";
import type { IngestStats, Settled, Sink } from "./source.ts";

/** Why something was not taken in. Stable: dashboards and tests name them. */
export type Refusal =
  | AdmissionRefusal
  | DoorRefusal
  | "connect.protocol_version"
  | "packet.too_large"
  | "packet.invalid"
  | PublishRefusal
  | "sink.refused"
  | "will.stopping"
  | "publish.stopping"
  /** Not refused: read later, because its client is over its rate. */
  | "publish.paused"
  | "subscriber.stalled"
  | "subscriber.queue_full"
  | "retain.limit"
  | "spool.damaged"
  | "announcement.queue_full";

/** The way into the sink: counts what goes in, what is under way and what is refused. */
export class Intake {
  readonly #sink: Sink;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #refused = new Map<Refusal, number>();
  #received = 0;
  #receivedBytes = 0;
  #acknowledged = 0;
  #underWay = 0;
  #refusing = false;
  #drained: (() => void)[] = [];

  constructor({ sink, clock, log }: { readonly sink: Sink; readonly clock: Clock; readonly log: Log }) {
    this.#sink = sink;
    this.#clock = clock;
    this.#log = log;
  }

  put(message: IncomingMessage, settled: Settled): void {
    this.enter(message, (error) => {
      this.left(error);
      settled(error);
    });
  }

  /** As `put`, without an object per message: the caller calls `left` first thing in `settled`. */
  enter(message: IncomingMessage, settled: Settled): void {
    this.#received++;
    this.#receivedBytes += message.payload.length;
    this.#underWay++;
    this.#sink.put(message, settled);
  }

  left(error: Error | undefined): void {
    this.#underWay--;
    if (error !== undefined || this.#refusing) this.#note(error);
    // What is still to be done for the message is done before the next turn.
    if (this.#underWay === 0 && this.#drained.length > 0) queueMicrotask(() => this.#wake());
  }

  /** Whether the sink would take so many bytes now. */
  hasRoom(bytes: number): boolean {
    return this.#sink.hasRoom?.(bytes) ?? true;
  }

  /** Calls back once, when there may be room again. */
  whenRoom(callback: () => void): void {
    if (this.#sink.whenRoom === undefined) setImmediate(callback);
    else this.#sink.whenRoom(callback);
  }

  /** Acknowledgements went out. */
  acknowledged(count = 1): void {
    this.#acknowledged += count;
  }

  refuse(reason: Refusal): void {
    this.#refused.set(reason, (this.#refused.get(reason) ?? 0) + 1);
  }

  /** Resolves when nothing is under way, or after `deadlineMs`. Returns how many messages are still under way. */
  async drain(deadlineMs: number): Promise<number> {
    if (this.#underWay === 0) return 0;
    const timer = new AbortController();
    const drained = new Promise<void>((resolve) => this.#drained.push(resolve));
    await Promise.race([drained, this.#clock.sleep(deadlineMs, timer.signal)]);
    timer.abort();
    return this.#underWay;
  }

  stats(connections: number, problem: string | undefined): IngestStats {
    return {
      connections,
      received: this.#received,
      receivedBytes: this.#receivedBytes,
      acknowledged: this.#acknowledged,
      refused: Object.fromEntries(this.#refused),
      problem,
    };
  }

  /** Counts every refusal of the sink and says so when it begins: one line, however many messages there are. */
  #note(error: Error | undefined): void {
    if (error !== undefined) this.refuse("sink.refused");
    const refusing = error !== undefined;
    if (refusing && !this.#refusing)
      this.#log.warn(
        { error: describeError(error) },
        "messages cannot be stored; they are not acknowledged, and their senders deliver them again",
      );
    this.#refusing = refusing;
  }

  #wake(): void {
    const drained = this.#drained;
    this.#drained = [];
    for (const resolve of drained) resolve();
  }
}
