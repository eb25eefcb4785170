import type { Json } from "../../contract/canonical-json.ts";
import type { NewEvent } from "../../contract/event.ts";
import type { OutgoingMessage } from "../../contract/message.ts";
import type { QuarantineReason } from "../../contract/quarantine.ts";
import { PipelineError } from "../../runtime/errors.ts";

/**
 * Where a payload's values go, record by record: first `record` or `refuse`, then the record's values in their order.
 *
 * Calls in place of objects, because this is the hot path.
 */
export interface ValueSink {
  /**
   * Begins a record: its event time in whole microseconds, or undefined where the device sent none; `device` where the
   * payload names it; `clock` "arrival" where the time was reckoned from the arrival, as "five seconds ago" is.
   */
  record(measuredAtUs: number | undefined, device?: string, clock?: "device" | "arrival"): void;
  /** Begins a record that cannot be used; its values may follow and are not stored. `detail` is one sentence. */
  refuse(reason: QuarantineReason, detail: string): void;
  /** A value as it was found: finite numbers are good, all else is judged by whoever listens. `unit` where it is named. */
  value(metric: string, value: unknown, unit?: string): void;
  /** Something that whoever reads the lake should know of. */
  event(event: Omit<NewEvent, "atUs" | "offsets">): void;
  /** Something to be said to the device: published once, at most once. */
  request(message: OutgoingMessage): void;
  /** Says that the message carries no readings by design, where it gives none: it is counted, not refused. */
  ignore(): void;
}

/** What is known of a payload from outside it. */
export interface PayloadContext {
  readonly topic: string;
  /** The metric that the topic names. */
  readonly metric: string | undefined;
  readonly receivedAtUs: number;
  /** Whether it is decoded again after later ones were: then what the decoder remembers must stay as it is. */
  readonly isAgain: boolean;
}

/** Reads payloads of one format with one mapping. The same payloads in the same order give the same calls. */
export interface PayloadDecoder {
  /**
   * Gives the payload's values to the sink.
   *
   * Throws PipelineError "payload.malformed" where the payload as a whole is not of the format, with the position;
   * what went to the sink before is then not to be used.
   */
  decode(payload: Uint8Array, sink: ValueSink, context: PayloadContext): void;
  /** Whether it needs a metric from the topic; otherwise it takes none. */
  readonly needsTopicMetric: boolean;
  /** Whether it names the device of each record; otherwise the topic or the route does. */
  readonly namesDevice: boolean;
  /** That a message carries only what has changed of a device, where it is so; otherwise all that the device measures. */
  readonly sendsChangesOnly?: true;
  /** What it remembers from earlier payloads, to be carried over a restart; undefined where it remembers nothing. */
  readonly memory?: { save(): Json; restore(saved: Json): void };
}

export function malformed(message: string): PipelineError {
  return new PipelineError("payload.malformed", message);
}

/** Most characters of a value that a person is shown. */
const SHOWN_LENGTH_MAX = 64;

/** What was shown of objects and arrays: one that all records of a message share is shown for each of them. */
const shown = new WeakMap<object, string>();

/**
 * A value for a message to a person: JSON, at most 64 characters of it.
 *
 * Looks at no more of the value than that: whoever sends it says how deep and how large it is.
 */
export function showValue(value: unknown): string {
  if (typeof value !== "object" || value === null) return shortened(value);
  const known = shown.get(value);
  if (known !== undefined) return known;
  const text = shortened(value);
  shown.set(value, text);
  return text;
}

function shortened(value: unknown): string {
  const text = typeof value === "number" || value === undefined ? String(value) : shownBehind("", value);
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX - 3)}...` : text;
}

/** The text with a value behind it; each level adds to it, so it ends however deep the value is. */
function shownBehind(text: string, value: unknown): string {
  if (text.length > SHOWN_LENGTH_MAX) return text;
  if (Array.isArray(value)) return `${shownItems(`${text}[`, value)}]`;
  if (typeof value === "string") return text + JSON.stringify(value.slice(0, SHOWN_LENGTH_MAX + 1));
  // CBOR has whole numbers that JSON cannot say.
  if (typeof value === "bigint") return `${text}"${value}"`;
  if (typeof value === "object" && value !== null) return `${shownMembers(`${text}{`, value)}}`;
  return text + (JSON.stringify(value) ?? "null");
}

function shownItems(begun: string, items: readonly unknown[]): string {
  let text = begun;
  for (const [place, item] of items.entries()) {
    if (text.length > SHOWN_LENGTH_MAX) break;
    text = shownBehind(place === 0 ? text : `${text},`, item);
  }
  return text;
}

function shownMembers(begun: string, value: object): string {
  let text = begun;
  for (const [name, member] of Object.entries(value)) {
    if (text.length > SHOWN_LENGTH_MAX) break;
    if (member === undefined) continue;
    text = shownBehind(`${shownBehind(text === begun ? text : `${text},`, name)}:`, member);
  }
  return text;
}
