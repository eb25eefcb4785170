import type { Stream } from "./stream.ts";

export type ColumnType =
  | "string"
  | "integer"
  | "long"
  | "double"
  | "boolean"
  | "binary"
  | "timestamp"
  | "array<double>"
  | "array<string>";

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

const column = (name: string, type: ColumnType, nullable = false): Column => ({ name, type, nullable });

/**
 * The columns of each stream's landing objects, in order. Timestamps are microseconds, UTC.
 * The committer puts `gateway` and `epoch` (from the key) in front and `date` (from TABLE_DATE_COLUMN) behind.
 */
export const LANDING_COLUMNS: Readonly<Record<Stream, readonly Column[]>> = {
  readings: [
    column("offset", "long"),
    column("index", "integer"),
    column("device", "string"),
    column("device_type", "string"),
    column("metric", "string"),
    column("unit", "string", true),
    column("measured_at", "timestamp"),
    column("received_at", "timestamp"),
    column("value", "double"),
    column("clock", "string"),
    // Stored, but kept from features and models.
    column("withheld", "boolean"),
  ],
  features: [
    column("seq", "long"),
    column("view", "string"),
    column("view_hash", "string"),
    column("device", "string"),
    column("device_type", "string"),
    column("window_start", "timestamp"),
    column("window_end", "timestamp"),
    column("revision", "integer"),
    column("since_offset", "long"),
    column("through_offset", "long"),
    column("closed_at", "timestamp"),
    column("closed_by", "string"),
    column("reading_count", "integer"),
    column("values", "array<double>"),
    column("violations", "array<string>"),
    // Kept from models: the breaker of the view was open for the device.
    column("withheld", "boolean"),
  ],
  predictions: [
    column("seq", "long"),
    column("vector_seq", "long"),
    column("device", "string"),
    column("device_type", "string"),
    column("view_hash", "string"),
    column("window_start", "timestamp"),
    column("window_end", "timestamp"),
    column("revision", "integer"),
    column("model", "string"),
    column("version", "integer"),
    column("slot", "string"),
    column("score", "double"),
    column("threshold", "double"),
    column("anomalous", "boolean"),
    column("missing_count", "integer"),
    column("top_features", "array<string>"),
    column("top_shares", "array<double>"),
    column("unlike_training", "array<string>"),
    column("predicted_at", "timestamp"),
  ],
  labels: [
    column("offset", "long"),
    column("device", "string"),
    column("from", "timestamp"),
    column("to", "timestamp"),
    column("label", "string"),
    column("author", "string"),
    column("note", "string"),
    column("known_at", "timestamp"),
  ],
  quarantine: [
    column("offset", "long"),
    column("index", "integer"),
    column("received_at", "timestamp"),
    column("client", "string"),
    column("topic", "string"),
    column("reason", "string"),
    column("detail", "string"),
    column("payload", "binary"),
    column("payload_bytes", "integer"),
  ],
  events: [
    column("seq", "long"),
    column("at", "timestamp"),
    column("kind", "string"),
    column("device", "string", true),
    column("metric", "string", true),
    // Both -1 where the event concerns no messages.
    column("from_offset", "long"),
    column("through_offset", "long"),
    column("count", "long"),
    column("detail", "string"),
    // A JSON object.
    column("facts", "string"),
  ],
};

/** The timestamp whose UTC day is the partition `date` of each table. */
export const TABLE_DATE_COLUMN: Readonly<Record<Stream, string>> = {
  readings: "measured_at",
  features: "window_end",
  predictions: "window_end",
  labels: "known_at",
  quarantine: "received_at",
  events: "at",
};
