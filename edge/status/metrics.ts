import type { GatewayStatus } from "./gateway-status.ts";

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

const metric = (name: string, help: string, value: number): Metric => ({
  name: `sluice_${name}`,
  help,
  value,
});

/** A status as Prometheus metrics: one name a number, so that none needs labels. Pure. */
export function metricsOf(status: GatewayStatus): readonly Metric[] {
  const { buffer, sync, commit, ingest } = status;
  const sum = (pick: (source: GatewayStatus["ingest"][number]) => number): number =>
    ingest.reduce((total, source) => total + pick(source), 0);
  return [
    metric("healthy", "1 when nothing is wrong.", Number(status.healthy)),
    metric("uptime_seconds", "Since the process started.", status.uptimeS),
    metric("memory_bytes", "Resident memory.", status.memoryBytes),
    metric(
      "connections",
      "MQTT connections.",
      sum((source) => source.connections),
    ),
    metric(
      "messages_received_total",
      "Messages received since the start.",
      sum((source) => source.received),
    ),
    metric(
      "messages_acknowledged_total",
      "Messages acknowledged since the start.",
      sum((source) => source.acknowledged),
    ),
    metric("commit_groups_total", "Groups synced since the start.", commit.groups),
    metric("commit_waiting_bytes", "Bytes that wait for their sync.", commit.waitingBytes),
    metric("buffer_next_offset", "The offset of the next message.", buffer.nextOffset),
    metric("buffer_decoded_through", "The last offset that is decoded.", buffer.decodedThrough),
    metric("buffer_delivered_through", "The last offset that the lake has whole.", buffer.deliveredThrough),
    metric("buffer_disk_bytes", "Bytes on disk.", buffer.diskBytes + buffer.stateBytes),
    metric(
      "buffer_damages",
      "Places on disk where acknowledged messages are damaged.",
      buffer.damages.length,
    ),
    metric("outbox_bytes", "Encoded bytes that the lake does not have yet.", buffer.outbox.bytes),
    metric("delivered_rows_total", "Rows delivered since the start.", sync.delivered.rows),
    metric("failed_uploads_total", "Uploads that failed since the start.", sync.failedUploads),
    ...[...Object.entries(status.counters), ...Object.entries(status.inference.counters)].map(
      ([name, value]) => metric(`${name.replaceAll(/[^a-z0-9_]/g, "_")}_count`, `Counter ${name}.`, value),
    ),
    ...Object.entries(status.features.counters).map(([name, value]) =>
      metric(`${name.replaceAll(/[^a-z0-9_]/g, "_")}_count`, `Counter ${name}.`, value),
    ),
  ].filter((one, i, all) => all.findIndex((other) => other.name === one.name) === i);
}
