import type { Stream } from "@sluice/shared/contract/stream.ts";

/**
 * By which columns compacted files are sorted: first two that questions name, then the time, then what makes a row
 * the one that it is, so that the order is whole. The first three are never NULL.
 */
const SORT_COLUMNS: Readonly<Record<Stream, readonly string[]>> = {
  readings: ["device", "metric", "measured_at", "received_at", "gateway", "epoch", "offset", "index"],
  features: ["device", "view_hash", "window_end", "revision", "gateway", "epoch", "seq"],
  predictions: ["device", "model", "window_end", "version", "slot", "revision", "gateway", "epoch", "seq"],
  labels: ["device", "label", "from", "gateway", "epoch", "offset"],
  quarantine: ["topic", "reason", "received_at", "gateway", "epoch", "offset", "index"],
  events: ["gateway", "kind", "at", "epoch", "seq"],
};

export const sortColumns = (stream: Stream): readonly string[] => SORT_COLUMNS[stream];
