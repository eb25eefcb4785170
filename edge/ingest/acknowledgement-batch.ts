/** What has acknowledgements to write. */
export interface Acknowledging {
  flush(): void;
}

/** Lets everything that one commit has settled be acknowledged together: each connection writes once. */
export class AcknowledgementBatch {
  #due = new Set<Acknowledging>();

  /** The connection's `flush` is called after the present settling is done. */
  add(connection: Acknowledging): void {
    if (this.#due.size === 0) queueMicrotask(() => this.#flush());
    this.#due.add(connection);
  }

  #flush(): void {
    const due = this.#due;
    this.#due = new Set();
    for (const connection of due) connection.flush();
  }
}
