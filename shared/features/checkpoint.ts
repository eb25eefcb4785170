/** Bytes that are no checkpoint of this version, or not all of one. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}

/**
 * Writes numbers, texts and columns one after another, exactly to the bit. Little-endian, except columns, which are
 * in the machine's order: a checkpoint is read where it was written.
 */
export class CheckpointWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;
  readonly #encoder = new TextEncoder();

  /** `bytesExpected` saves moving what is written while it grows: the length of the last checkpoint, for one. */
  constructor(bytesExpected = 4_096) {
    this.#bytes = new Uint8Array(bytesExpected);
    this.#view = new DataView(this.#bytes.buffer);
  }

  number(value: number): void {
    const at = this.#take(8);
    this.#view.setFloat64(at, value, true);
  }

  text(value: string): void {
    this.block(this.#encoder.encode(value));
  }

  block(bytes: Uint8Array): void {
    this.number(bytes.length);
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
  }

  column(values: Float64Array): void {
    this.block(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  /** A block of what `write` writes, without a copy of it. */
  nested(write: (to: CheckpointWriter) => void): void {
    const at = this.#take(8);
    write(this);
    this.#view.setFloat64(at, this.#length - at - 8, true);
  }

  /** What has been written; the writer must not be used any more. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #take(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}

/** Reads what a CheckpointWriter wrote, in the same order; throws a CheckpointError where the bytes end early. */
export class CheckpointReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  number(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** A whole number from 0 on: how many of something follow. */
  count(): number {
    const value = this.number();
    if (!Number.isSafeInteger(value) || value < 0)
      throw new CheckpointError(`${value} at byte ${this.#at - 8} is no count`);
    return value;
  }

  text(): string {
    return new TextDecoder("utf-8", { fatal: true }).decode(this.block());
  }

  block(): Uint8Array {
    const length = this.count();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  column(): Float64Array {
    const bytes = this.block();
    if (bytes.length % 8 !== 0)
      throw new CheckpointError(`a column of ${bytes.length} bytes is not of doubles`);
    const values = new Float64Array(bytes.length / 8);
    new Uint8Array(values.buffer).set(bytes);
    return values;
  }

  /** Everything must have been read. */
  end(): void {
    if (this.#at !== this.#bytes.length)
      throw new CheckpointError(`${this.#bytes.length - this.#at} bytes more than expected`);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#bytes.length)
      throw new CheckpointError(
        `cut off at byte ${this.#bytes.length}: ${bytes} more were expected from ${at} on`,
      );
    this.#at += bytes;
    return at;
  }
}
