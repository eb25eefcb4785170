import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import type { Random } from "@sluice/shared/runtime/random.ts";
import { backoffMs } from "@sluice/shared/runtime/retry.ts";
import type { Backoff } from "@sluice/shared/runtime/retry.ts";
import { parseBrokerAddress } from "./broker-address.ts";
import { Connection } from "./connection.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import type { LatencySummary } from "./latency-histogram.ts";
import { encodePublish, markDuplicate } from "./publish-packet.ts";

export interface PublisherOptions {
  /** mqtt://[user:password@]host[:port] */
  readonly broker: string;
  readonly clientId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly qos?: 0 | 1;
  /** Most publishes that may be on their way without an acknowledgement. */
  readonly window?: number;
  /** Most bytes that may be: bounds the memory of a window of large messages. One message may exceed it alone. */
  readonly windowBytesMax?: number;
  /** Most calls of `publish` that may wait for room in the window before further ones are refused. */
  readonly waitingMax?: number;
  readonly keepAliveS?: number;
  readonly connectTimeoutMs?: number;
  /** How long `start` goes on trying while the broker is not reachable. 0: one try. */
  readonly brokerWaitMs?: number;
  readonly backoff?: Backoff;
}

/** Packet ids are 16 bit; half of them leaves the next free one always close. */
const WINDOW_MAX = 32_768;
const PACKET_ID_MAX = 65_535;

const DEFAULTS = {
  qos: 1,
  window: 1_000,
  windowBytesMax: 64 * 1_048_576,
  waitingMax: 10_000,
  keepAliveS: 30,
  connectTimeoutMs: 10_000,
  brokerWaitMs: 0,
  backoff: { baseMs: 50, maxMs: 2_000 },
} as const;

/** What a publisher has done. `ackLatencyMs` runs from the place in the window to the PUBACK. */
export interface PublisherStats {
  /** Publishes put on the wire, each counted once. */
  readonly sent: number;
  readonly acknowledged: number;
  /** Publishes sent again, with DUP, after a reconnect. */
  readonly resent: number;
  readonly reconnects: number;
  /** QoS 0 publishes whose connection broke before the operating system had them. */
  readonly lost: number;
  readonly inFlight: number;
  readonly waiting: number;
  readonly ackLatencyMs: LatencySummary;
}

interface Waiting {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface InFlight extends Waiting {
  readonly packet: Buffer;
  readonly admittedAtUs: number;
  sent: boolean;
}

/**
 * An MQTT 3.1.1 publisher that remembers every acknowledgement.
 *
 * QoS 1: a publish stays in the window until its PUBACK; after a reconnect everything unacknowledged is sent again
 * in the order of the calls, with DUP and the same packet ids (§4.4), however long the broker was away. QoS 0: a
 * publish is done once the operating system has it; what a breaking connection swallowed is counted as lost.
 */
export class Publisher implements Part {
  readonly name: string;
  /** Round trips of everything acknowledged so far. */
  readonly latency = new LatencyHistogram();
  readonly #options: Required<PublisherOptions>;
  readonly #stopping = new AbortController();
  /** By packet id, in the order of the calls. */
  readonly #inFlight = new Map<number, InFlight>();
  #inFlightBytes = 0;
  #waiting: Waiting[] = [];
  /** Whoever waits for the window to change. */
  #watchers: (() => void)[] = [];
  #connection: Connection | undefined;
  #reconnecting: Promise<void> | undefined;
  #lastPacketId = 0;
  #counts = { sent: 0, acknowledged: 0, resent: 0, reconnects: 0, lost: 0 };

  /** Throws PipelineError "mqtt.address_refused" or "mqtt.window_refused". */
  constructor(options: PublisherOptions) {
    this.#options = { ...DEFAULTS, ...options };
    this.name = `publisher ${options.clientId}`;
    parseBrokerAddress(options.broker);
    const { window } = this.#options;
    if (!Number.isInteger(window) || window < 1 || window > WINDOW_MAX)
      throw new PipelineError("mqtt.window_refused", `a window of ${window}: 1 to ${WINDOW_MAX} is possible`);
  }

  /** Connects. Throws PipelineError "mqtt.unavailable" or "mqtt.refused"; afterwards it reconnects by itself. */
  async start(): Promise<void> {
    const { clock, brokerWaitMs } = this.#options;
    const endUs = clock.monotonicUs() + brokerWaitMs * 1_000;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#connect();
        return;
      } catch (error) {
        const unavailable = error instanceof PipelineError && error.code === "mqtt.unavailable";
        if (!unavailable || clock.monotonicUs() >= endUs || this.#stopping.signal.aborted) throw error;
        await this.#pause(attempt);
      }
    }
  }

  /**
   * Publishes; resolves at the PUBACK (QoS 0: once the operating system has it). Calls keep their order.
   *
   * Rejects with PipelineError "mqtt.publish_refused" (a topic that cannot be), "mqtt.overloaded" (too many calls
   * wait for the window: await `room` between calls) or "mqtt.stopped".
   */
  publish(topic: string, payload: string | Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
    const call = { topic, payload: bytes, resolve, reject };
    if (this.#stopping.signal.aborted) reject(stopped(this.name));
    else if (this.#waiting.length === 0 && this.#hasRoom(bytes.byteLength)) this.#admit(call);
    else if (this.#waiting.length < this.#options.waitingMax) this.#waiting.push(call);
    else
      reject(
        new PipelineError(
          "mqtt.overloaded",
          `${this.#options.waitingMax} publishes wait for acknowledgements`,
        ),
      );
    return promise;
  }

  /** Resolves when a publish would go out at once, or when the signal aborts or the publisher is stopped. */
  async room(signal?: AbortSignal): Promise<void> {
    const isFull = (): boolean =>
      (this.#waiting.length > 0 || !this.#hasRoom(0)) &&
      !this.#stopping.signal.aborted &&
      signal?.aborted !== true;
    if (!isFull()) return;
    const wake = (): void => this.#signalChange();
    signal?.addEventListener("abort", wake);
    while (isFull()) await this.#change();
    signal?.removeEventListener("abort", wake);
  }

  /** Waits until everything is acknowledged, at most `deadlineMs`; returns how many publishes are not. */
  async drain(deadlineMs: number): Promise<number> {
    const { clock } = this.#options;
    const timer = new AbortController();
    const late = new AbortController();
    const deadline = clock.sleep(deadlineMs, timer.signal).finally(() => {
      late.abort();
      this.#signalChange();
    });
    const open = (): number => this.#inFlight.size + this.#waiting.length;
    while (open() > 0 && !late.signal.aborted && !this.#stopping.signal.aborted) await this.#change();
    timer.abort();
    await deadline;
    return open();
  }

  /** Closes without draining: what is not acknowledged is refused with "mqtt.stopped". */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    await this.#connection?.close();
    await this.#reconnecting;
    for (const call of [...this.#inFlight.values(), ...this.#waiting]) call.reject(stopped(this.name));
    this.#inFlight.clear();
    this.#waiting = [];
    this.#signalChange();
  }

  stats(): PublisherStats {
    return {
      ...this.#counts,
      inFlight: this.#inFlight.size,
      waiting: this.#waiting.length,
      ackLatencyMs: this.latency.summary(),
    };
  }

  #hasRoom(bytes: number): boolean {
    const { window, windowBytesMax } = this.#options;
    return (
      this.#inFlight.size < window &&
      (this.#inFlight.size === 0 || this.#inFlightBytes + bytes <= windowBytesMax)
    );
  }

  #admit(call: Waiting): void {
    const { qos, clock } = this.#options;
    const packetId = this.#freePacketId();
    let packet: Buffer;
    try {
      packet = encodePublish({ topic: call.topic, payload: call.payload, qos, packetId });
    } catch (error) {
      call.reject(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    const entry = { ...call, packet, admittedAtUs: clock.monotonicUs(), sent: false };
    this.#inFlight.set(packetId, entry);
    this.#inFlightBytes += packet.byteLength;
    this.#transmit(packetId, entry);
  }

  #freePacketId(): number {
    do this.#lastPacketId = (this.#lastPacketId % PACKET_ID_MAX) + 1;
    while (this.#inFlight.has(this.#lastPacketId));
    return this.#lastPacketId;
  }

  #transmit(packetId: number, entry: InFlight): void {
    if (this.#connection === undefined) return;
    if (entry.sent) this.#counts.resent++;
    else this.#counts.sent++;
    entry.sent = true;
    if (this.#options.qos === 1) this.#connection.send(entry.packet);
    else this.#connection.send(entry.packet, () => this.#settle(packetId));
  }

  #settle(packetId: number): void {
    const entry = this.#inFlight.get(packetId);
    // A second PUBACK for one packet id: a broker that acknowledged before and after a reconnect.
    if (entry === undefined) return;
    this.#inFlight.delete(packetId);
    this.#inFlightBytes -= entry.packet.byteLength;
    this.#counts.acknowledged++;
    this.latency.add(this.#options.clock.monotonicUs() - entry.admittedAtUs);
    entry.resolve();
    this.#admitWaiting();
    this.#signalChange();
  }

  #admitWaiting(): void {
    let admitted = 0;
    for (const call of this.#waiting) {
      if (!this.#hasRoom(call.payload.byteLength)) break;
      this.#admit(call);
      admitted++;
    }
    if (admitted > 0) this.#waiting.splice(0, admitted);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#watchers.push(resolve));
  }

  #signalChange(): void {
    const watchers = this.#watchers;
    if (watchers.length === 0) return;
    this.#watchers = [];
    for (const wake of watchers) wake();
  }

  async #connect(): Promise<void> {
    const { broker, clientId, keepAliveS, connectTimeoutMs, clock } = this.#options;
    const connection = await Connection.open({
      address: parseBrokerAddress(broker),
      clientId,
      clean: false,
      keepAliveS,
      connectTimeoutMs,
      clock,
      acknowledged: (packetId) => this.#settle(packetId),
      closed: () => this.#disconnected(),
    });
    if (this.#stopping.signal.aborted) return connection.close();
    if (!connection.isOpen) throw new PipelineError("mqtt.unavailable", `${broker} closed the connection`);
    this.#connection = connection;
    for (const [packetId, entry] of this.#inFlight) {
      if (entry.sent) markDuplicate(entry.packet);
      this.#transmit(packetId, entry);
    }
    return undefined;
  }

  #disconnected(): void {
    // Never taken over: `#connect` sees it and throws.
    if (this.#connection === undefined) return;
    this.#connection = undefined;
    if (this.#options.qos === 0) this.#forgetUnsettled();
    if (!this.#stopping.signal.aborted) this.#reconnecting ??= this.#reconnect();
  }

  /** QoS 0 promises nothing about what was on its way; it is counted and let go. */
  #forgetUnsettled(): void {
    for (const [packetId, entry] of this.#inFlight) {
      if (!entry.sent) continue;
      this.#inFlight.delete(packetId);
      this.#inFlightBytes -= entry.packet.byteLength;
      this.#counts.lost++;
      entry.resolve();
    }
    this.#admitWaiting();
    this.#signalChange();
  }

  async #reconnect(): Promise<void> {
    for (let attempt = 0; !this.#stopping.signal.aborted; attempt++) {
      await this.#pause(attempt);
      if (this.#stopping.signal.aborted) break;
      try {
        await this.#connect();
        this.#counts.reconnects++;
        break;
      } catch {
        // Whatever it is, a broker that restarts may say it: the window keeps everything and the next try may do.
      }
    }
    this.#reconnecting = undefined;
    // The new connection may have broken before this line was reached.
    if (this.#connection === undefined && !this.#stopping.signal.aborted)
      this.#reconnecting = this.#reconnect();
  }

  #pause(attempt: number): Promise<void> {
    const { clock, backoff, random } = this.#options;
    return clock.sleep(backoffMs(backoff, attempt, random), this.#stopping.signal);
  }
}

function stopped(name: string): PipelineError {
  return new PipelineError("mqtt.stopped", `${name} was stopped before the acknowledgement came`);
}
