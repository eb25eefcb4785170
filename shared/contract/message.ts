/** One MQTT publish as it came in. */
export interface IncomingMessage {
  readonly client: string;
  /** The publisher's packet identifier; 0 for QoS 0, which has none. */
  readonly packetId: number;
  readonly qos: 0 | 1 | 2;
  readonly dup: boolean;
  readonly retain: boolean;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** The wall clock at arrival: whole microseconds since the epoch, UTC. */
  readonly receivedAtUs: number;
  /** Where an answer goes, and what comes back with it, where its sender said so (MQTT 5 §4.10). */
  readonly response?: { readonly topic: string; readonly correlation: Uint8Array | undefined };
}

/** A message that the gateway publishes. */
export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** Of the request that this answers; MQTT 5 only. */
  readonly correlation?: Uint8Array | undefined;
}

/** When messages were stored: both clocks of the gateway at one moment, so that a step of its wall clock can be told. */
export interface GroupStamp {
  /** Changes with each start of the process: monotonic stamps of one boot can be compared. */
  readonly bootId: string;
  readonly monotonicUs: number;
  readonly wallUs: number;
}

/** A message in the buffer: durable, numbered. */
export interface RawMessage extends IncomingMessage {
  /** Increasing by one from 0 within the buffer's epoch. */
  readonly offset: number;
  /** The stamp of the group that it was stored in; undefined where a test or a tool made it. */
  readonly stamp?: GroupStamp;
}
