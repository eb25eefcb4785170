import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { KeptWindow } from "./kept-windows.ts";
import type { AppendedRows } from "./pending.ts";

/** What was derived from some messages, committed in one transaction. */
export interface Step {
  /** Everything up to this message offset has been derived. */
  readonly throughOffset: number;
  readonly appended: readonly AppendedRows[];
  /** What happened on the way; numbered when it is committed. */
  readonly events?: readonly NewEvent[];
  /** Windows whose readings must not be thinned out until the lake has them. */
  readonly kept?: readonly KeptWindow[];
  /** What is added to each counter. */
  readonly counters: Readonly<Record<string, number>>;
  readonly meta?: Readonly<Record<string, string>>;
  /** Feature state that covers everything up to `throughOffset`. */
  readonly checkpoint?: Uint8Array;
  /**
   * Nobody has heard of what is in it, and the messages are still in the log: it need not be synced. A power cut may
   * take back steps without a sync, always the newest of them, and they are derived again.
   */
  readonly isRepeatable?: boolean;
}
