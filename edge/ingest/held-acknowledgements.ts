interface Held {
  readonly send: () => void;
  isDurable: boolean;
}

/**
 * The acknowledgements of one connection, sent in the order in which their publishes came (MQTT 3.1.1 §4.6).
 *
 * Messages become durable in any order; an acknowledgement goes out when its message and all before it are durable.
 */
export class HeldAcknowledgements {
  #held: Held[] = [];
  /** Entries before it were sent; they are cut off in one go, so that a long queue does not cost its square. */
  #first = 0;
  #closed = false;

  get count(): number {
    return this.#held.length - this.#first;
  }

  /** Nothing of this connection will be acknowledged any more, so nothing more of it needs to be taken in. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Holds an acknowledgement; returns what is to be called when its message is durable. */
  hold(send: () => void): () => void {
    const held = { send, isDurable: false };
    this.#held.push(held);
    return () => {
      held.isDurable = true;
      this.#release();
    };
  }

  /** The connection is gone: what is held is never sent, because its packet ids mean nothing on another one. */
  close(): void {
    this.#closed = true;
    this.#held = [];
    this.#first = 0;
  }

  #release(): void {
    if (this.#closed) return;
    for (let head = this.#held[this.#first]; head?.isDurable === true; head = this.#held[this.#first]) {
      this.#first++;
      head.send();
    }
    if (this.#first < this.#held.length / 2) return;
    this.#held = this.#held.slice(this.#first);
    this.#first = 0;
  }
}
