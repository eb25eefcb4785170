/** Bytes that are no checkpoint of this version, or not all of one. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}

/** How an ascending column is written. */
const WHOLE = 0;
const EVEN = 1;
const SMALL = 2;

/** The longest column that takes no bytes: no damaged number makes a longer one. */
const EVEN_MAX = 2 ** 23;

/** The largest step that fits into 4 bytes. */
const STEP_MAX = 2 ** 31 - 1;

/**
 * Writes numbers, texts and columns one after another, exactly to the bit. Little-endian, except columns, which are
 * in the machine's order: a checkpoint is read where it was written.
 */
export class CheckpointWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;
  readonly #encoder = new TextEncoder();
  /** From each number of an ascending column to the next; used again by the next column. */
  #steps = new Int32Array(0);

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

  /** A column of whole numbers that ascend, as event times do: an even step takes no bytes, a small one takes 4. */
  ascending(values: Float64Array): void {
    const { length } = values;
    const first = values[0] ?? 0;
    const step = length > 1 ? (values[1] ?? 0) - first : 0;
    let even = 1;
    while (even < length && values[even] === first + even * step) even += 1;
    if (even >= length) {
      this.number(EVEN);
      this.number(first);
      this.number(step);
      this.number(length);
      return;
    }
    const steps = this.#smallSteps(values);
    this.number(steps === undefined ? WHOLE : SMALL);
    if (steps === undefined) return this.column(values);
    this.number(first);
    this.block(new Uint8Array(steps.buffer, 0, (length - 1) * 4));
  }

  /** From each number to the next; undefined where one is too large. */
  #smallSteps(values: Float64Array): Int32Array<ArrayBuffer> | undefined {
    const { length } = values;
    if (this.#steps.length < length) this.#steps = new Int32Array(length * 2);
    const steps = this.#steps;
    for (let i = 1; i < length; i++) {
      const step = (values[i] ?? Number.NaN) - (values[i - 1] ?? Number.NaN);
      if (step > STEP_MAX) return undefined;
      steps[i - 1] = step;
    }
    return steps;
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

  ascending(): Float64Array {
    const kind = this.number();
    if (kind === WHOLE) return this.column();
    if (kind !== EVEN && kind !== SMALL) throw new CheckpointError(`${kind} is no way to write a column`);
    const first = this.number();
    if (kind === EVEN) {
      const step = this.number();
      const length = this.count();
      if (length > EVEN_MAX) throw new CheckpointError(`a column of ${length} numbers`);
      return Float64Array.from({ length }, (_, i) => first + i * step);
    }
    const bytes = this.block();
    if (bytes.length % 4 !== 0) throw new CheckpointError(`${bytes.length} bytes are not of steps`);
    const steps = new Int32Array(bytes.length / 4);
    new Uint8Array(steps.buffer).set(bytes);
    const values = new Float64Array(steps.length + 1);
    values[0] = first;
    for (const [i, step] of steps.entries()) values[i + 1] = (values[i] ?? Number.NaN) + step;
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
