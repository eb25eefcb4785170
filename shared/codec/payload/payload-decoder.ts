import type { QuarantineReason } from "../../contract/quarantine.ts";
import { PipelineError } from "../../runtime/errors.ts";

/**
 * Where a payload's values go, record by record: first `record` or `refuse`, then the record's values in their order.
 *
 * Calls in place of objects, because this is the hot path.
 */
export interface ValueSink {
  /** Begins a record: its event time in whole microseconds, or undefined where the device sent none. */
  record(measuredAtUs: number | undefined): void;
  /** Begins a record that cannot be used; its values may follow and are not stored. `detail` is one sentence. */
  refuse(reason: QuarantineReason, detail: string): void;
  /** A value as it was found: finite numbers are good, all else is judged by whoever listens. */
  value(metric: string, value: unknown): void;
}

/** Reads payloads of one format with one mapping. Pure: the same bytes give the same calls. */
export interface PayloadDecoder {
  /**
   * Gives the payload's values to the sink. `topicMetric` is the metric that the topic names.
   *
   * Throws PipelineError "payload.malformed" where the payload as a whole is not of the format, with the position;
   * what went to the sink before is then not to be used.
   */
  decode(payload: Uint8Array, sink: ValueSink, topicMetric: string | undefined): void;
  /** Whether it needs a metric from the topic; otherwise it takes none. */
  readonly needsTopicMetric: boolean;
}

export function malformed(message: string): PipelineError {
  return new PipelineError("payload.malformed", message);
}

/** A value for a message to a person: JSON, at most 64 characters of it. */
export function showValue(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 64 ? `${text.slice(0, 61)}...` : text;
}
