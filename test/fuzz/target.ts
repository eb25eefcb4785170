import type { Random } from "@sluice/shared/runtime/random.ts";

/** What becomes of a payload: everything else that can happen is an error of ours. */
export type Outcome = "accepted" | "refused";

/** Something that reads bytes from outside. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid payloads, which are changed. */
  readonly seeds: readonly Uint8Array[];
  /**
   * Reads one payload, and may remember it.
   *
   * Throws on anything but a proper answer: an unexpected error, a result that is larger than the payload allows.
   */
  run(payload: Uint8Array, random: Random): Outcome | Promise<Outcome>;
  /** Ends what the target has started. */
  close?(): Promise<void>;
}
