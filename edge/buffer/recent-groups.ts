import type { GroupStamp } from "@sluice/shared/contract/message.ts";

/** A group as it was stored: its first offset, its messages as bytes, when it was written. */
export interface RecentGroup {
  readonly first: number;
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly stamp: GroupStamp;
}

/** Most bytes of messages that are held: what a step takes, several times over. */
export const RECENT_BYTES_MAX = 16_777_216;

/**
 * The groups that were stored last: the step that comes some milliseconds later need not read back from the disk what
 * was just written there.
 */
export class RecentGroups {
  #groups: RecentGroup[] = [];
  #bytes = 0;

  add(group: RecentGroup): void {
    this.#groups.push(group);
    this.#bytes += group.bytes.length;
    while (this.#bytes > RECENT_BYTES_MAX) this.#bytes -= this.#groups.shift()?.bytes.length ?? 0;
  }

  /** The group that holds `offset`. Those before it are let go: reading does not go back. */
  take(offset: number): RecentGroup | undefined {
    for (;;) {
      const oldest = this.#groups[0];
      if (oldest === undefined || offset < oldest.first) return undefined;
      if (offset < oldest.first + oldest.count) return oldest;
      this.#bytes -= oldest.bytes.length;
      this.#groups.shift();
    }
  }
}
