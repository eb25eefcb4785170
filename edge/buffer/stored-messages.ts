import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { GroupScan } from "./group-scan.ts";
import { type FilterState, keyOf, RedeliveryFilter } from "./redelivery-filter.ts";

/** Messages that are read at once when the filter is filled again. */
const READ_LIMIT = { messages: 1_000, bytes: 8 * 1_048_576 };

/** Reads stored messages from an offset on. */
export type ReadMessages = (
  fromOffset: number,
  limit: typeof READ_LIMIT,
) => readonly (IncomingMessage & { readonly offset: number })[];

/** What is stored of the newest messages, so that none is stored twice when it is delivered again. */
export class StoredMessages {
  readonly #entriesMax: number;
  readonly #filter: RedeliveryFilter;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
    this.#filter = new RedeliveryFilter(entriesMax);
  }

  /** Learns the newest messages before `endOffset` from where they are stored. */
  recall(endOffset: number, read: ReadMessages): void {
    for (let offset = Math.max(0, endOffset - this.#entriesMax); ;) {
      const messages = read(offset, READ_LIMIT);
      this.remember(messages);
      const last = messages.at(-1);
      if (last === undefined) return;
      offset = last.offset + 1;
    }
  }

  /** Only what is on disk may count as stored. */
  remember(messages: readonly IncomingMessage[]): void {
    for (const message of messages) this.#filter.remember(keyOf(message));
  }

  /** The same for a group as it was stored. */
  rememberGroup(group: Uint8Array): void {
    for (const scan = new GroupScan(group); scan.next();) this.#filter.remember(scan);
  }

  /** Gives up everything that is remembered, for one that goes on from the state. */
  forget(): void {
    this.#filter.forget();
  }

  /** What another one needs to go on from here; good until the next message is remembered. */
  state(): FilterState {
    return this.#filter.state();
  }

  restore(state: FilterState): void {
    this.#filter.restore(state);
  }

  /** The messages of a group that are not stored yet, neither before nor earlier in the group. */
  without(messages: readonly IncomingMessage[]): IncomingMessage[] {
    const kept: IncomingMessage[] = [];
    let inGroup: RedeliveryFilter | undefined;
    for (const message of messages) {
      if (message.dup) {
        inGroup ??= this.#filled(kept);
        const key = keyOf(message);
        const filter = inGroup.knows(key) ? inGroup : this.#filter;
        if (filter.isRedelivery(key)) continue;
      }
      kept.push(message);
      inGroup?.remember(keyOf(message));
    }
    return kept;
  }

  #filled(messages: readonly IncomingMessage[]): RedeliveryFilter {
    const filter = new RedeliveryFilter(this.#entriesMax);
    for (const message of messages) filter.remember(keyOf(message));
    return filter;
  }
}
