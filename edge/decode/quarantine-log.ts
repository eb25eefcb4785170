import type { RawMessage } from "@sluice/shared/contract/message.ts";
import { QUARANTINE_PAYLOAD_BYTES_MAX, type QuarantineRow } from "@sluice/shared/contract/quarantine.ts";
import type { Refusal } from "./validate.ts";

/**
 * Most rows for one message, each of which carries the payload: so that a message of thousands of bad values does not
 * become thousands of payloads. The last row says how many there were besides; the counters count them all.
 */
export const QUARANTINE_ROWS_PER_MESSAGE_MAX = 32;

interface Refused {
  readonly index: number;
  readonly refusal: Refusal;
}

/**
 * Collects what is refused, message by message, as rows and as counts per reason.
 *
 * Offset and index are a row's identity in the lake, so no two rows of a message have one index: where records without
 * a value are refused, which have no place among the values, each takes the next.
 */
export class QuarantineLog {
  #rows: QuarantineRow[] = [];
  #counts = new Map<string, number>();
  #pending: Refused[] = [];

  /** Whether anything of the current message was refused. */
  get hasRefusals(): boolean {
    return this.#pending.length > 0;
  }

  refuse(index: number, refusal: Refusal): void {
    this.#pending.push({ index, refusal });
  }

  /** Forgets what was refused of the current message, because all of it is. */
  abandon(): void {
    this.#pending = [];
  }

  /** Makes rows of what was refused of this message. */
  endMessage(message: RawMessage): void {
    if (this.#pending.length === 0) return;
    const payload = message.payload.slice(0, QUARANTINE_PAYLOAD_BYTES_MAX);
    let free = 0;
    for (const [place, { index, refusal }] of this.#pending.entries()) {
      this.#counts.set(refusal.reason, (this.#counts.get(refusal.reason) ?? 0) + 1);
      if (place >= QUARANTINE_ROWS_PER_MESSAGE_MAX) continue;
      const left = place === QUARANTINE_ROWS_PER_MESSAGE_MAX - 1 ? this.#pending.length - place - 1 : 0;
      this.#rows.push({
        offset: message.offset,
        index: Math.max(index, free),
        receivedAtUs: message.receivedAtUs,
        client: message.client,
        topic: message.topic,
        reason: refusal.reason,
        detail: left === 0 ? refusal.detail : `${refusal.detail} ${left} more of this message were refused.`,
        payload,
        payloadBytes: message.payload.length,
      });
      free = Math.max(index, free) + 1;
    }
    this.#pending = [];
  }

  /** The rows and counts since the last time. */
  finish(): { readonly rows: QuarantineRow[]; readonly counts: ReadonlyMap<string, number> } {
    const finished = { rows: this.#rows, counts: this.#counts };
    this.#rows = [];
    this.#counts = new Map();
    return finished;
  }
}
