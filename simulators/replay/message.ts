import { isoTime } from "@sluice/shared/runtime/clock.ts";
import type { ReplayMap } from "./replay-map.ts";
import type { Row } from "./row.ts";

/** A row as it is published: {"ts": …, metric: value, …}; its time moved by `shiftUs`. */
export function messageOf(row: Row, map: ReplayMap, shiftUs: number): { topic: string; payload: string } {
  const us = row.measuredAtUs + shiftUs;
  const time = map.timeUnit === "us" ? Math.round(us) : Math.round(us / 1_000);
  return {
    topic: map.topic.replaceAll("{device}", row.device),
    payload: JSON.stringify({ [map.timeField]: time, ...row.values }),
  };
}

/** The truth about a row as one JSON line: device, measuredAt (ISO 8601), and its label columns as in the file. */
export function truthLine(row: Row, shiftUs: number): string {
  const measuredAt = isoTime(row.measuredAtUs + shiftUs);
  return `${JSON.stringify({ device: row.device, measuredAt, ...row.labels })}\n`;
}
