/** What becomes of a connection that was looked at. */
export type Life = "alive" | "silent" | "stalled";

export interface LifeSigns {
  readonly elapsedMs: number;
  /** We have not read all that it sent. */
  readonly isHeldUp: boolean;
  /** It has not read all that we sent. */
  readonly isUnread: boolean;
}

/** Tells whether a client is still there, and whether it reads, from what is seen of it now and then. */
export class Liveness {
  readonly #stallMs: number;
  #keepAliveMs = 0;
  #silentMs = 0;
  #stalledMs = 0;
  #wasHeard = false;

  /** `stallMs`: how long it may leave unread what it is sent. */
  constructor(stallMs: number) {
    this.#stallMs = stallMs;
  }

  /** How long the client will be silent at most, in seconds; 0: as long as it likes. */
  promises(keepAliveS: number): void {
    this.#keepAliveMs = keepAliveS * 1_500; // MQTT 3.1.1 §3.1.2.10: one and a half times.
  }

  /** A whole packet has come. */
  heard(): void {
    this.#wasHeard = true;
  }

  check({ elapsedMs, isHeldUp, isUnread }: LifeSigns): Life {
    // What we do not read cannot be held against the client.
    this.#silentMs = this.#wasHeard || isHeldUp ? 0 : this.#silentMs + elapsedMs;
    this.#stalledMs = isUnread ? this.#stalledMs + elapsedMs : 0;
    this.#wasHeard = false;
    if (this.#stalledMs > this.#stallMs) return "stalled";
    return this.#keepAliveMs > 0 && this.#silentMs > this.#keepAliveMs ? "silent" : "alive";
  }
}
