import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { GroupWriter, messageBytes } from "./message-group.ts";

type Settled = (error: Error | undefined) => void;

export interface GroupCommitOptions {
  /** Writes a group to disk; resolves when it is synced. The buffer is handed over. */
  readonly commit: (group: ArrayBuffer, count: number) => Promise<void>;
  readonly limits: { readonly groupBytesMax: number; readonly waitingBytesMax: number };
}

export interface GroupCommitStats {
  readonly messages: number;
  readonly groups: number;
  readonly failedGroups: number;
  /** Messages refused because too much was waiting for the disk, or because they can never be stored. */
  readonly refused: number;
  readonly waitingBytes: number;
}

/**
 * One fsync for everything that has come in the meantime.
 *
 * What arrives in a turn of the event loop, or while a commit runs, is one group. One commit is under way at a time,
 * so groups grow by themselves as the disk gets slower, and there is no timer to tune. A message is settled when its
 * group is synced; when the group fails, with the error, and its sender must not get an acknowledgement.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #writer = new GroupWriter();
  #waiting: Settled[] = [];
  #committing = false;
  #scheduled = false;
  /** Bytes of groups that are full or under way. */
  #handedBytes = 0;
  readonly #full: { readonly group: ArrayBuffer; readonly settle: Settled[] }[] = [];
  #drained: (() => void)[] = [];
  #roomAwaited: (() => void)[] = [];
  #messages = 0;
  #groups = 0;
  #failedGroups = 0;
  #refused = 0;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /**
   * Takes a message; `settled` is called once, with undefined when it is synced. The errors: "buffer.full" where too
   * much waits, "buffer.message_invalid" where it can never be stored, or whatever its group failed with.
   */
  put(message: IncomingMessage, settled: Settled): void {
    const { groupBytesMax, waitingBytesMax } = this.#options.limits;
    if (messageBytes(message) > waitingBytesMax) {
      this.#refused++;
      settled(
        new PipelineError(
          "buffer.message_invalid",
          `a message of ${message.payload.length} bytes does not fit`,
          { hint: `Raise buffer.waitingBytesMax, now ${waitingBytesMax}, or send less at once.` },
        ),
      );
      return;
    }
    if (this.#waitingBytes() + messageBytes(message) > waitingBytesMax) {
      this.#refused++;
      settled(
        new PipelineError("buffer.full", `more than ${waitingBytesMax} bytes are waiting for the disk`, {
          hint: "The disk is slower than what arrives; the publisher sends again later.",
        }),
      );
      return;
    }
    if (this.#writer.count > 0 && this.#writer.byteLength + messageBytes(message) > groupBytesMax)
      this.#close();
    try {
      this.#writer.append(message);
    } catch (error) {
      this.#refused++;
      settled(asError(error)); // It can never be stored; what else is in the group goes on.
      return;
    }
    this.#waiting.push(settled);
    this.#messages++;
    this.#schedule();
  }

  /** Whether a message that takes so many bytes would be taken now. One that never fits is told so by `put`. */
  hasRoom(bytes: number): boolean {
    const waitingBytes = this.#waitingBytes();
    return waitingBytes === 0 || waitingBytes + bytes <= this.#options.limits.waitingBytesMax;
  }

  /** Calls back once, after the next commit: at once where nothing waits for one. */
  whenRoom(callback: () => void): void {
    if (this.#isIdle()) setImmediate(callback);
    else this.#roomAwaited.push(callback);
  }

  /** Resolves when everything that was put is settled. */
  drain(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  stats(): GroupCommitStats {
    return {
      messages: this.#messages,
      groups: this.#groups,
      failedGroups: this.#failedGroups,
      refused: this.#refused,
      waitingBytes: this.#waitingBytes(),
    };
  }

  #isIdle(): boolean {
    return !this.#committing && this.#full.length === 0 && this.#waiting.length === 0;
  }

  #waitingBytes(): number {
    return this.#handedBytes + (this.#writer.count === 0 ? 0 : this.#writer.byteLength);
  }

  #schedule(): void {
    if (this.#committing || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#run();
    });
  }

  #close(): void {
    this.#handedBytes += this.#writer.byteLength;
    this.#full.push({ group: this.#writer.take(), settle: this.#waiting });
    this.#waiting = [];
  }

  async #run(): Promise<void> {
    if (this.#committing) return;
    this.#committing = true;
    for (;;) {
      if (this.#full.length === 0 && this.#writer.count > 0) this.#close();
      const next = this.#full.shift();
      if (next === undefined) break;
      const bytes = next.group.byteLength;
      const error = await this.#commit(next.group, next.settle.length);
      this.#handedBytes -= bytes;
      for (const settle of next.settle) settle(error); // Synced, or not: only now may the senders hear of it.
      this.#wakeAwaiting();
    }
    this.#committing = false;
    const drained = this.#drained;
    this.#drained = [];
    for (const resolve of drained) resolve();
  }

  #wakeAwaiting(): void {
    const awaiting = this.#roomAwaited;
    this.#roomAwaited = [];
    for (const callback of awaiting) callback();
  }

  async #commit(group: ArrayBuffer, count: number): Promise<Error | undefined> {
    try {
      await this.#options.commit(group, count);
      this.#groups++;
      return undefined;
    } catch (error) {
      this.#failedGroups++;
      return asError(error);
    }
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
