import type { GroupStamp, IncomingMessage } from "@sluice/shared/contract/message.ts";

/** A group as it was stored: its first offset, its messages, when it was written. */
export interface RecentGroup {
  readonly first: number;
  readonly messages: readonly IncomingMessage[];
  readonly stamp: GroupStamp;
}

/** Most bytes of messages that are held: what a step takes, several times over. */
const BYTES_MAX = 16_777_216;

/**
 * The groups that were stored last, still decoded: the step that comes some milliseconds later need not read back from
 * the disk what was just written there.
 */
export class RecentGroups {
  #groups: (RecentGroup & { readonly bytes: number })[] = [];
  #bytes = 0;

  add(group: RecentGroup, bytes: number): void {
    this.#groups.push({ ...group, bytes });
    this.#bytes += bytes;
    while (this.#bytes > BYTES_MAX) this.#bytes -= this.#groups.shift()?.bytes ?? 0;
  }

  /** The group that holds `offset`. Those before it are let go: reading does not go back. */
  take(offset: number): RecentGroup | undefined {
    for (;;) {
      const oldest = this.#groups[0];
      if (oldest === undefined || offset < oldest.first) return undefined;
      if (offset < oldest.first + oldest.messages.length) return oldest;
      this.#bytes -= oldest.bytes;
      this.#groups.shift();
    }
  }
}
