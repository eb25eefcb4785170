import type { GroupStamp } from "@sluice/shared/contract/message.ts";

/** A group as it was stored: its first offset, its messages as bytes, when it was written. */
export interface RecentGroup {
  readonly first: number;
  readonly count: number;
  readonly bytes: Uint8Array;
  readonly stamp: GroupStamp;
  /** Nobody else has these bytes. */
  readonly isOurs?: boolean;
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

  /**
   * Gives back the memory of the groups whose every message is at or before `throughOffset`; nothing may be read from
   * them any more. To leave megabytes to the garbage collector makes it look through everything again and again.
   */
  release(throughOffset: number): void {
    for (;;) {
      const oldest = this.#groups[0];
      if (oldest === undefined || oldest.first + oldest.count - 1 > throughOffset) return;
      this.#bytes -= oldest.bytes.length;
      this.#groups.shift();
      if (oldest.isOurs === true && oldest.bytes.buffer instanceof ArrayBuffer)
        oldest.bytes.buffer.transfer(0);
    }
  }
}
