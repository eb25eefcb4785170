/** How many rows from the beginning are acknowledged without a gap, whatever order acknowledgements come in. */
export class AcknowledgedPrefix {
  #count: number;
  /** Acknowledged beyond the first gap; never more than the publisher's window. */
  readonly #ahead = new Set<number>();

  constructor(count: number) {
    this.#count = count;
  }

  get count(): number {
    return this.#count;
  }

  add(row: number): void {
    if (row !== this.#count) {
      this.#ahead.add(row);
      return;
    }
    this.#count++;
    while (this.#ahead.delete(this.#count)) this.#count++;
  }
}
