import type { ColumnTable } from "@sluice/shared/codec/columns.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { decodeLanding, encodeLandingTable } from "@sluice/shared/codec/landing.ts";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import { isNumbered, type Stream } from "@sluice/shared/contract/stream.ts";
import type { OutboxBatch, RewrittenBatch } from "./outbox.ts";
import {
  extentOfOthers,
  type IsKept,
  keptVectors,
  pickRows,
  type RowChoice,
  thinnedReadings,
} from "./thin.ts";

/** Device names that an event carries; of more it says how many there are. */
const DEVICES_NAMED_MAX = 8;

export interface ShedOptions {
  /** One of so many readings of each series was left before, and is left then; 0 is none. */
  readonly stepBefore: number;
  readonly step: number;
  readonly isKept: IsKept;
  readonly atUs: number;
}

/** A batch with fewer rows, and what is to be told of those that are gone; of none, nothing is told. */
export interface ShedBatch {
  readonly batch: RewrittenBatch;
  readonly events: readonly NewEvent[];
  readonly counters: Readonly<Record<string, number>>;
}

/** Leaves rows out of a batch whose bytes the lake has never seen. Its key and its range stay. Pure. */
export function shedBatch(batch: OutboxBatch, options: ShedOptions): ShedBatch {
  const { step } = options;
  const table = decodeLanding(batch.stream, batch.body);
  const kept = rowsThatStay(batch.stream, table, options);
  const count = table.count - kept.length;
  if (count === 0) return { batch: { ...batch, step }, events: [], counters: {} };
  const body = encodeLandingTable(batch.stream, pickRows(table, kept));
  const how = step === 0 ? "dropped" : "thinned";
  return {
    batch: { ...batch, step, rows: kept.length, sha256: sha256Hex(body), body },
    events: [tell(batch, { how, table, kept, ...options })],
    counters: { [`shed.${batch.stream}.${how}`]: count },
  };
}

function rowsThatStay(
  stream: Stream,
  table: ColumnTable,
  { step, stepBefore, isKept }: ShedOptions,
): RowChoice {
  return stream === "features"
    ? keptVectors(table, isKept)
    : thinnedReadings(table, step === 0 ? 0 : step / stepBefore, isKept);
}

interface Gone {
  readonly how: "thinned" | "dropped";
  readonly table: ColumnTable;
  /** What is not among these is gone. */
  readonly kept: RowChoice;
  readonly step: number;
  readonly atUs: number;
}

function tell(batch: OutboxBatch, { how, table, kept, step, atUs }: Gone): NewEvent {
  const { stream, from, to } = batch;
  const count = table.count - kept.length;
  const timeColumn = stream === "features" ? "window_start" : "measured_at";
  const { devices, fromUs, throughUs } = extentOfOthers(table, kept, timeColumn);
  const left = step === 0 ? "only anomalous windows are left" : `one of ${step} of each series is left`;
  return {
    kind: `shed.${how}`,
    atUs,
    device: devices.length === 1 ? devices[0] : undefined,
    offsets: isNumbered(stream) ? undefined : { from, through: to },
    count,
    detail: `${count} of ${table.count} ${stream} were given up because the disk budget was reached; ${left}`,
    facts: {
      reason: "disk_budget",
      stream,
      from,
      through: to,
      kept: kept.length,
      step,
      devices: devices.slice(0, DEVICES_NAMED_MAX).join(", "),
      deviceCount: devices.length,
      [stream === "features" ? "windowsFromUs" : "measuredFromUs"]: fromUs,
      [stream === "features" ? "windowsThroughUs" : "measuredThroughUs"]: throughUs,
    },
  };
}
