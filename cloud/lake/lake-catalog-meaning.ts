import type { Stream } from "@sluice/shared/contract/stream.ts";

/** What a table is, in a line. */
export const TABLE_MEANING: Readonly<Record<Stream, string>> = {
  readings: "every reading, as it was measured",
  features: "one feature vector per view, device, window and revision",
  predictions: "what models said of feature vectors",
  labels: "what people said of devices",
  quarantine: "messages and values that gateways refused",
  events: "what happened at gateways that whoever reads the other tables must know",
};

/** Columns that mean the same in every table. */
const COMMON: Readonly<Record<string, string>> = {
  gateway: "the gateway that sent the row",
  epoch: "the identity of the gateway's buffer, made anew with it",
  date: "the partition: the UTC day of the table's time",
  offset: "the message's number in the epoch; increasing",
  index: "the row's place in its message, from 0",
  seq: "the row's number in the epoch and table, from 0",
  device: "the machine or sensor node",
  device_type: "its type, by which views and contracts are chosen",
  metric: "the quantity that was measured",
  withheld: "stored, and kept from features and models",
  view_hash: "the view's definition, by its SHA-256",
  window_start: "the window's begin, inclusive",
  window_end: "the window's end, exclusive",
  revision: "0 when the window closed; more after late readings",
};

const OWN: Readonly<Record<Stream, Readonly<Record<string, string>>>> = {
  readings: {
    unit: "the unit of the value; empty where it is not known",
    measured_at: "when the reading was measured, by the clock that `clock` names",
    received_at: "when its message arrived at the gateway",
    value: "the value in that unit",
    clock: "whose clock measured_at is of: the device's or the gateway's",
  },
  features: {
    view: "the view's name",
    since_offset: "the first message that the vector can rest on",
    through_offset: "the last message that it rests on",
    closed_at: "when the window was closed",
    closed_by: "what closed it: the watermark, silence, or a late reading",
    reading_count: "readings in the window",
    values: "the features in the view's order; empty where one cannot be computed",
    violations: "features outside of what the view allows",
  },
  predictions: {
    vector_seq: "the vector's number in features",
    model: "the model's name",
    version: "its version in the registry",
    slot: "champion: acted on; shadow: only scored",
    score: "how unusual the window is",
    threshold: "the score from which it is anomalous",
    anomalous: "whether the score reached the threshold",
    missing_count: "features that could not be computed",
    top_features: "the features that the score rests on most",
    top_shares: "their shares of the score",
    unlike_training: "features outside of what the model was trained on",
    predicted_at: "when the model ran",
  },
  labels: {
    from: "since when the label holds, inclusive",
    to: "until when, exclusive",
    label: "what was said, such as bearing_fault",
    author: "who said it",
    note: "a remark",
    known_at: "when it became known: nothing is trained on it before",
  },
  quarantine: {
    received_at: "when the message arrived at the gateway",
    client: "the MQTT client that sent it",
    topic: "the topic that it was sent to",
    reason: "the stable code of why it was refused",
    detail: "the same in words",
    payload: "the first bytes of the message",
    payload_bytes: "how many bytes the message had",
  },
  events: {
    at: "when it happened, by the gateway's clock",
    kind: "what happened, such as shed.thinned or clock.stepped",
    from_offset: "the first message that it concerns; -1: none",
    through_offset: "the last message that it concerns; -1: none",
    count: "rows or messages that it concerns",
    detail: "the same in words",
    facts: "numbers and names for programs, as JSON",
  },
};

/** What a column of a table means; undefined for one that this version does not know. */
export const meaningOf = (table: Stream, column: string): string | undefined =>
  OWN[table][column] ?? COMMON[column];
