/** What decoding remembered just before a message. */
export interface GenerationStart<Memory> {
  readonly offset: number;
  readonly memory: Memory;
}

/** As it goes into the checkpoint. */
export interface SavedStarts<Memory> {
  readonly windowMessages: number;
  readonly starts: readonly GenerationStart<Memory>[];
}

/**
 * Where the present generation of messages began, and the one before, and what decoding remembered there.
 *
 * Which readings were seen lately is too much for a checkpoint. It follows from the messages since the first of the two
 * starts, so a restart decodes those again from what was remembered there, and comes to the same to the bit.
 */
export class GenerationStarts<Memory> {
  readonly #windowMessages: number;
  #starts: readonly GenerationStart<Memory>[] = [];

  constructor(windowMessages: number) {
    this.#windowMessages = windowMessages;
  }

  get first(): GenerationStart<Memory> | undefined {
    return this.#starts[0];
  }

  /** To be called before each message; asks for the memory where a generation begins. */
  message(offset: number, memory: () => Memory): void {
    if (this.#windowMessages === 0) return;
    const generation = this.#generationOf(offset);
    const last = this.#starts.at(-1);
    if (last !== undefined && this.#generationOf(last.offset) === generation) return;
    const kept = this.#starts.filter((start) => this.#generationOf(start.offset) === generation - 1);
    this.#starts = [...kept, { offset, memory: memory() }];
  }

  save(): SavedStarts<Memory> {
    return { windowMessages: this.#windowMessages, starts: this.#starts };
  }

  /** After a change of the window what was seen before it is forgotten: its generations are others. */
  restore(saved: SavedStarts<Memory>): void {
    this.#starts = saved.windowMessages === this.#windowMessages ? saved.starts : [];
  }

  /** What comes next is the first that is known. */
  forget(): void {
    this.#starts = [];
  }

  #generationOf(offset: number): number {
    return Math.floor(offset / this.#windowMessages);
  }
}
