import type { GatewayStatus } from "./gateway-status.ts";

/** One value of a metric, with the labels that tell it from the others. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  readonly help: string;
  /** A counter only grows while the process runs. */
  readonly kind: "gauge" | "counter";
  readonly samples: readonly Sample[];
}

const one = (value: number): readonly Sample[] => [{ labels: {}, value }];

const gauge = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  name: `sluice_${name}`,
  help,
  kind: "gauge",
  samples,
});

const counter = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  ...gauge(`${name}_total`, help, samples),
  kind: "counter",
});

const byName = (counters: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counters).map(([name, value]) => ({ labels: { name }, value }));

/** A status as Prometheus metrics, in base units. Pure. */
export function metricsOf(status: GatewayStatus): readonly Metric[] {
  const slot = status.inference.slot;
  const model =
    slot.state === "ready" ? { model: slot.model.model, version: String(slot.model.version) } : undefined;
  return [
    gauge("info", "1, with what runs here.", [
      {
        labels: { gateway: status.gateway, version: status.softwareVersion, epoch: status.epoch },
        value: 1,
      },
    ]),
    gauge("healthy", "1 when nobody must act.", one(Number(status.healthy))),
    gauge("uptime_seconds", "Since the process started.", one(status.uptimeS)),
    gauge("memory_bytes", "Resident memory.", one(status.memoryBytes)),
    gauge(
      "model_info",
      "1, with the model in the slot; no sample when none scores.",
      model === undefined ? [] : [{ labels: model, value: 1 }],
    ),
    gauge("alerts_raised", "Devices in alarm now.", one(status.inference.raisedAlerts)),
    gauge(
      "breakers_open",
      "Devices whose readings are kept from features and models now.",
      one(status.contracts.openCount),
    ),
    gauge(
      "metrics_silent",
      "Metrics silent for longer than their contract allows.",
      one(status.contracts.staleCount),
    ),
    ...ingestMetrics(status),
    ...bufferMetrics(status),
    ...lakeMetrics(status),
    gauge(
      "processed",
      "Since the buffer was made: messages, readings, quarantined, predictions and the like.",
      byName(status.counters),
    ),
    counter(
      "feature_requests",
      "Requests for feature vectors over MQTT, by what became of them.",
      byName(status.online),
    ),
    counter("features", "What became of readings on their way to vectors.", byName(status.features.counters)),
    counter(
      "inference",
      "What became of vectors on their way to predictions and alerts.",
      byName(status.inference.counters),
    ),
  ];
}

function ingestMetrics({ ingest, commit }: GatewayStatus): readonly Metric[] {
  const bySource = (pick: (source: GatewayStatus["ingest"][number]) => number): readonly Sample[] =>
    ingest.map((source) => ({ labels: { source: source.name }, value: pick(source) }));
  return [
    gauge(
      "connections",
      "MQTT connections.",
      bySource((source) => source.connections),
    ),
    gauge(
      "source_up",
      "1 while messages can come in.",
      bySource((source) => Number(source.problem === undefined)),
    ),
    counter(
      "received_messages",
      "Messages handed to the buffer.",
      bySource((source) => source.received),
    ),
    counter(
      "received_bytes",
      "Bytes of their payloads.",
      bySource((source) => source.receivedBytes),
    ),
    counter(
      "acknowledged_messages",
      "Messages acknowledged, after they were durable.",
      bySource((source) => source.acknowledged),
    ),
    counter(
      "refused",
      "What was refused at the door, by reason.",
      ingest.flatMap(({ name, refused }) =>
        Object.entries(refused).map(([reason, value]) => ({ labels: { source: name, reason }, value })),
      ),
    ),
    counter("commit_groups", "Groups of messages that were synced.", one(commit.groups)),
    counter(
      "commit_failed_groups",
      "Groups that could not be synced; nothing of them was acknowledged.",
      one(commit.failedGroups),
    ),
    counter(
      "commit_refused_messages",
      "Messages refused because too much waited for the disk.",
      one(commit.refused),
    ),
    gauge("commit_waiting_bytes", "Bytes that wait for their sync.", one(commit.waitingBytes)),
  ];
}

function bufferMetrics({ buffer, rates, capacity }: GatewayStatus): readonly Metric[] {
  const { hoursLeft, hoursUntilDropped } = capacity;
  const { disk } = buffer;
  return [
    gauge("buffer_next_offset", "The offset of the next message.", one(buffer.nextOffset)),
    gauge("buffer_decoded_through", "The last offset that is decoded.", one(buffer.decodedThrough)),
    gauge(
      "buffer_delivered_through",
      "The last offset that the lake has whole.",
      one(buffer.deliveredThrough),
    ),
    gauge("buffer_disk_bytes", "Bytes on disk.", one(disk.diskBytes)),
    gauge("buffer_free_bytes", "Of them, free pages that are used next.", one(disk.freeBytes)),
    gauge("buffer_spare_raw_bytes", "Of them, what can go at no loss.", one(disk.spareRawBytes)),
    gauge("buffer_aside_bytes", "Of them, damaged files set aside.", one(disk.asideBytes)),
    gauge("buffer_disk_budget_bytes", "The most bytes that it may be.", one(buffer.diskBytesMax)),
    gauge(
      "buffer_seconds_left",
      "Until readings are given up, or messages refused, if nothing is delivered; no sample while nothing comes in.",
      hoursLeft === undefined ? [] : one(hoursLeft * 3_600),
    ),
    gauge(
      "buffer_seconds_until_dropped",
      "Until readings are dropped whole, where they are thinned out before.",
      hoursUntilDropped === undefined ? [] : one(hoursUntilDropped * 3_600),
    ),
    gauge(
      "storage_bytes_per_second",
      "Written to storage over the last minute, as the system counts it or estimated.",
      [{ labels: { from: rates.storage.from }, value: rates.storage.bytesPerS }],
    ),
    gauge(
      "buffer_damages",
      "Places on disk where acknowledged messages are damaged.",
      one(buffer.damages.length),
    ),
    counter(
      "buffer_duplicates",
      "Redeliveries that were recognised and not stored again.",
      one(buffer.duplicates),
    ),
    counter("buffer_refused_messages", "Messages that the buffer could not take.", one(buffer.refused)),
    gauge("readings_per_second", "Over the last minute.", one(rates.readingsPerS)),
  ];
}

function lakeMetrics({ buffer, sync, capacity }: GatewayStatus): readonly Metric[] {
  const { drainS } = capacity;
  return [
    gauge(
      "backlog_seconds",
      "Until what waits is delivered at the present rates; no sample while it does not get less.",
      drainS === undefined ? [] : one(drainS),
    ),
    gauge("lake_reached", "1 when the last upload worked.", one(Number(sync.lake === "reached"))),
    gauge("pending_rows", "Rows that are in no batch yet.", one(sync.pendingRows)),
    gauge("outbox_batches", "Batches that the lake does not have yet.", one(buffer.outbox.batches)),
    gauge("outbox_bytes", "Their bytes.", one(buffer.outbox.bytes)),
    counter("delivered_rows", "Rows that the lake took.", one(sync.delivered.rows)),
    counter("delivered_bytes", "Encoded bytes that the lake took.", one(sync.delivered.bytes)),
    counter("failed_uploads", "Uploads that failed.", one(sync.failedUploads)),
    gauge(
      "diverged_batches",
      "Batches that differ from what the lake holds under their key.",
      one(sync.divergedBatches),
    ),
  ];
}
