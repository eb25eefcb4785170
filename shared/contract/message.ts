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
}

/** A message that the gateway publishes. */
export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

/** A message in the buffer: durable, numbered. */
export interface RawMessage extends IncomingMessage {
  /** Increasing by one from 0 within the buffer's epoch. */
  readonly offset: number;
}
