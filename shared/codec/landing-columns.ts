import { canonicalJson } from "../contract/canonical-json.ts";
import { CLOCKS, type ReadingBlock, type Series } from "../contract/reading.ts";
import type { GatewayEvent } from "../contract/event.ts";
import type { Label } from "../contract/label.ts";
import type { Prediction } from "../contract/prediction.ts";
import type { QuarantineRow } from "../contract/quarantine.ts";
import type { StreamRows } from "../contract/rows.ts";
import type { Stream } from "../contract/stream.ts";
import type { StoredVector } from "../contract/vector.ts";
import { type ColumnData, type ColumnTable, numberColumn, stringColumn } from "./columns.ts";

/** Rows of a stream as the columns of its landing objects (LANDING_COLUMNS), in row order. */
export function landingColumns<S extends Stream>(stream: S, chunks: readonly StreamRows[S][]): ColumnTable {
  return BUILDERS[stream](chunks);
}

const BUILDERS: { readonly [S in Stream]: (chunks: readonly StreamRows[S][]) => ColumnTable } = {
  readings: readingColumns,
  features: (chunks) => featureColumns(chunks.flat()),
  predictions: (chunks) => predictionColumns(chunks.flat()),
  labels: (chunks) => labelColumns(chunks.flat()),
  quarantine: (chunks) => quarantineColumns(chunks.flat()),
  events: (chunks) => eventColumns(chunks.flat()),
};

function readingColumns(blocks: readonly ReadingBlock[]): ColumnTable {
  const count = blocks.reduce((sum, block) => sum + block.count, 0);
  const numbers = (pick: (block: ReadingBlock) => Float64Array | Uint32Array): ColumnData => {
    const values = new Float64Array(count);
    let row = 0;
    for (const block of blocks) {
      values.set(pick(block).subarray(0, block.count), row);
      row += block.count;
    }
    return { kind: "numbers", values };
  };
  const ofSeries = (pick: (series: Series) => string | undefined): ColumnData =>
    dictionaryColumn(blocks, count, (block) => ({
      names: block.series.map(pick),
      indices: block.seriesIndex,
    }));
  return {
    count,
    columns: {
      offset: numbers((block) => block.offset),
      index: numbers((block) => block.index),
      device: ofSeries((series) => series.device),
      device_type: ofSeries((series) => series.deviceType),
      metric: ofSeries((series) => series.metric),
      unit: ofSeries((series) => series.unit),
      measured_at: numbers((block) => block.measuredAtUs),
      received_at: numbers((block) => block.receivedAtUs),
      value: numbers((block) => block.value),
      clock: dictionaryColumn(blocks, count, (block) => ({ names: CLOCKS, indices: block.clock })),
      withheld: flagColumn(blocks, count, (block) => block.withheld),
    },
  };
}

function flagColumn(
  blocks: readonly ReadingBlock[],
  count: number,
  pick: (block: ReadingBlock) => Uint8Array,
): ColumnData {
  const values = new Uint8Array(count);
  let row = 0;
  for (const block of blocks) {
    values.set(pick(block).subarray(0, block.count), row);
    row += block.count;
  }
  return { kind: "booleans", values };
}

/** One dictionary over all blocks: each block's few names are looked up once, its rows only mapped. */
function dictionaryColumn(
  blocks: readonly ReadingBlock[],
  count: number,
  pick: (block: ReadingBlock) => {
    readonly names: readonly (string | undefined)[];
    readonly indices: Uint32Array | Uint8Array;
  },
): ColumnData {
  const dictionary: string[] = [];
  const places = new Map<string, number>();
  const indices = new Int32Array(count);
  let row = 0;
  for (const block of blocks) {
    const { names, indices: own } = pick(block);
    const mapped = names.map((name) => {
      if (name === undefined) return -1;
      const place = places.get(name) ?? dictionary.push(name) - 1;
      places.set(name, place);
      return place;
    });
    for (let i = 0; i < block.count; i++) indices[row++] = mapped[own[i] ?? -1] ?? -1;
  }
  return { kind: "strings", dictionary, indices };
}

/** Builds a table from rows by one function per column. */
function table<T>(
  rows: readonly T[],
  columns: {
    readonly numbers?: Readonly<Record<string, (row: T) => number>>;
    readonly strings?: Readonly<Record<string, (row: T) => string | undefined>>;
    readonly others?: Readonly<Record<string, ColumnData>>;
  },
): ColumnTable {
  const built: Record<string, ColumnData> = { ...columns.others };
  for (const [name, pick] of Object.entries(columns.numbers ?? {}))
    built[name] = numberColumn(rows.map(pick));
  for (const [name, pick] of Object.entries(columns.strings ?? {}))
    built[name] = stringColumn(rows.map(pick), rows.length);
  return { count: rows.length, columns: built };
}

function featureColumns(rows: readonly StoredVector[]): ColumnTable {
  return table(rows, {
    numbers: {
      seq: (row) => row.seq,
      window_start: (row) => row.windowStartUs,
      window_end: (row) => row.windowEndUs,
      revision: (row) => row.revision,
      since_offset: (row) => row.sinceOffset,
      through_offset: (row) => row.throughOffset,
      closed_at: (row) => row.closedAtUs,
      reading_count: (row) => row.readingCount,
    },
    strings: {
      view: (row) => row.view,
      view_hash: (row) => row.viewHash,
      device: (row) => row.device,
      device_type: (row) => row.deviceType,
      closed_by: (row) => row.closedBy,
    },
    others: {
      values: { kind: "numberLists", values: rows.map((row) => row.values) },
      violations: { kind: "stringLists", values: rows.map((row) => row.violations) },
      withheld: { kind: "booleans", values: Uint8Array.from(rows, (row) => Number(row.withheld)) },
    },
  });
}

function predictionColumns(rows: readonly Prediction[]): ColumnTable {
  return table(rows, {
    numbers: {
      seq: (row) => row.seq,
      vector_seq: (row) => row.vectorSeq,
      window_start: (row) => row.windowStartUs,
      window_end: (row) => row.windowEndUs,
      revision: (row) => row.revision,
      version: (row) => row.version,
      score: (row) => row.score,
      threshold: (row) => row.threshold,
      missing_count: (row) => row.missingCount,
      predicted_at: (row) => row.predictedAtUs,
    },
    strings: {
      device: (row) => row.device,
      device_type: (row) => row.deviceType,
      view_hash: (row) => row.viewHash,
      model: (row) => row.model,
      slot: (row) => row.slot,
    },
    others: {
      anomalous: { kind: "booleans", values: Uint8Array.from(rows, (row) => Number(row.anomalous)) },
      top_features: { kind: "stringLists", values: rows.map((row) => row.top.map(({ feature }) => feature)) },
      top_shares: { kind: "numberLists", values: rows.map((row) => row.top.map(({ share }) => share)) },
      unlike_training: { kind: "stringLists", values: rows.map((row) => row.unlikeTraining) },
    },
  });
}

function labelColumns(rows: readonly Label[]): ColumnTable {
  return table(rows, {
    numbers: {
      offset: (row) => row.offset,
      from: (row) => row.fromUs,
      to: (row) => row.toUs,
      known_at: (row) => row.knownAtUs,
    },
    strings: {
      device: (row) => row.device,
      label: (row) => row.label,
      author: (row) => row.author,
      note: (row) => row.note,
    },
  });
}

function quarantineColumns(rows: readonly QuarantineRow[]): ColumnTable {
  return table(rows, {
    numbers: {
      offset: (row) => row.offset,
      index: (row) => row.index,
      received_at: (row) => row.receivedAtUs,
      payload_bytes: (row) => row.payloadBytes,
    },
    strings: {
      client: (row) => row.client,
      topic: (row) => row.topic,
      reason: (row) => row.reason,
      detail: (row) => row.detail,
    },
    others: { payload: { kind: "binaries", values: rows.map((row) => row.payload) } },
  });
}

function eventColumns(rows: readonly GatewayEvent[]): ColumnTable {
  return table(rows, {
    numbers: {
      seq: (row) => row.seq,
      at: (row) => row.atUs,
      from_offset: (row) => row.offsets?.from ?? -1,
      through_offset: (row) => row.offsets?.through ?? -1,
      count: (row) => row.count,
    },
    strings: {
      kind: (row) => row.kind,
      device: (row) => row.device,
      metric: (row) => row.metric,
      detail: (row) => row.detail,
      facts: (row) => canonicalJson(row.facts ?? {}),
    },
  });
}
