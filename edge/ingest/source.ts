import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { Random } from "@sluice/shared/runtime/random.ts";
import type { IngestSettings } from "./settings.ts";

/** Called once for each message: without an error when it is durable, with one when it is not. */
export type Settled = (error: Error | undefined) => void;

/**
 * Where messages go. The payload may be used only during the call, unless it is copied.
 *
 * Messages are settled in the order in which they were put, but one that is refused at once is settled within `put`.
 */
export interface Sink {
  put(message: IncomingMessage, settled: Settled): void;
  /** Whether so many bytes more would be taken now. A sink that always has room leaves this out. */
  hasRoom?(bytes: number): boolean;
  /** Calls back once, when there may be room again. */
  whenRoom?(callback: () => void): void;
}

/** What a source counted since it was made. */
export interface IngestStats {
  readonly connections: number;
  /** Messages that were handed to the sink, and the bytes of their payloads. */
  readonly received: number;
  readonly receivedBytes: number;
  /** Publishes of QoS 1 and 2 whose acknowledgement went out, after they were durable. */
  readonly acknowledged: number;
  /** What was refused, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Why somebody must act so that messages come in, now or soon, in words; undefined while nobody must. */
  readonly problem: string | undefined;
}

/**
 * Takes MQTT publishes in and acknowledges each only when the sink says that it is durable.
 *
 * A message that the sink refuses is not acknowledged: its connection is closed, and the sender delivers it again.
 */
export interface Source extends Part {
  /** host:port once started: where devices connect, or the broker that the gateway is connected to. */
  readonly address: string;
  /** Speaks as the gateway itself: to subscribers, never to the sink. */
  publish(
    topic: string,
    payload: string | Uint8Array,
    options: { readonly qos: 0 | 1; readonly retain: boolean; readonly correlation?: Uint8Array | undefined },
  ): Promise<void>;
  stats(): IngestStats;
}

export interface SourceOptions {
  readonly settings: IngestSettings;
  readonly sink: Sink;
  readonly clock: Clock;
  readonly log: Log;
  /** Spreads reconnects; seeded from the clock when left out. */
  readonly random?: Random;
  /** Where requests to the gateway come, besides the topics of the settings. */
  readonly requestTopic?: string;
}
