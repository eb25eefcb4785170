import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import { parseIsoUs } from "@sluice/shared/runtime/clock.ts";
import type { Finding, TimeSpan } from "./verify-finding.ts";
import type { CommittedRange } from "./verify-ledger.ts";

/** Whether an event explains why something is not in the lake: whatever was given up, and damage. */
const EXPLAINS = "kind LIKE 'shed.%' OR kind IN ('buffer.damaged', 'checkpoint.lost')";

/** Events that say how many rows are left of a batch. */
const SAYS_KEPT: ReadonlySet<string> = new Set(["shed.thinned", "shed.dropped"]);

/** An event of a gateway that explains what is missing. */
export interface LossEvent {
  readonly gateway: string;
  readonly epoch: string;
  readonly atUs: number;
  readonly kind: string;
  readonly count: number;
  readonly detail: string;
  readonly device: string | undefined;
  readonly from: number | undefined;
  readonly through: number | undefined;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** The query for these events; its rows are for `lossEvents`. */
export const LOSS_QUERY = `SELECT gateway, epoch, "at", kind, count, detail, device, from_offset, through_offset, facts
  FROM events WHERE ${EXPLAINS} ORDER BY gateway, epoch, seq`;

/** Rows of the query as events. */
export const lossEvents = (rows: readonly (readonly unknown[])[]): readonly LossEvent[] =>
  rows.map(([gateway, epoch, at, kind, count, detail, device, from, through, facts]) => ({
    gateway: String(gateway),
    epoch: String(epoch),
    atUs: parseIsoUs(String(at)),
    kind: String(kind),
    count: Number(count),
    detail: String(detail),
    device: typeof device === "string" ? device : undefined,
    from: offsetOf(from),
    through: offsetOf(through),
    facts: factsOf(facts),
  }));

/** Events have -1 where they concern no messages. */
const offsetOf = (value: unknown): number | undefined =>
  typeof value === "number" && value >= 0 ? value : undefined;

function factsOf(text: unknown): Readonly<Record<string, unknown>> {
  try {
    const facts: unknown = JSON.parse(String(text));
    return typeof facts === "object" && facts !== null ? { ...facts } : {};
  } catch {
    return {};
  }
}

/** The stream that an event is about. */
export const streamOf = ({ facts }: LossEvent): Stream =>
  STREAMS.find((stream) => stream === facts["stream"]) ?? "readings";

/** Between which times the rows lay that went; undefined where the event does not say. */
export function timeOfLoss({ facts }: LossEvent): TimeSpan | undefined {
  const from = facts["measuredFromUs"] ?? facts["windowsFromUs"];
  const through = facts["measuredThroughUs"] ?? facts["windowsThroughUs"];
  return typeof from === "number" && typeof through === "number"
    ? { fromUs: from, throughUs: through }
    : undefined;
}

/** What a gateway gave up or lost, as it said itself. */
export function findingOf(event: LossEvent): Finding {
  const [from, to] = [
    numberOf(event.facts["from"]) ?? event.from,
    numberOf(event.facts["through"]) ?? event.through,
  ];
  const time = timeOfLoss(event);
  return {
    kind: event.kind.startsWith("shed.") ? "shed" : "buffer_damaged",
    explained: true,
    table: streamOf(event),
    gateway: event.gateway,
    epoch: event.epoch,
    count: event.count,
    detail: event.detail,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(time === undefined ? {} : { time }),
  };
}

const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** Batches that have other rows than the gateway said it left in them when it gave up some. */
export function shedMismatches(
  events: readonly LossEvent[],
  rangesOf: (event: LossEvent) => readonly CommittedRange[],
): readonly Finding[] {
  // A batch may be thinned out again and again: what the last event says counts.
  const last = new Map<string, LossEvent>();
  for (const event of events)
    if (SAYS_KEPT.has(event.kind))
      last.set([event.gateway, event.epoch, streamOf(event), event.facts["from"]].join("/"), event);
  const findings: Finding[] = [];
  for (const event of last.values()) {
    const { from, through, kept } = event.facts;
    const landed = rangesOf(event).find((range) => range.from === from && range.to === through);
    if (landed?.rows === undefined || typeof kept !== "number" || landed.rows === kept) continue;
    findings.push({
      kind: "count",
      explained: false,
      table: streamOf(event),
      gateway: event.gateway,
      epoch: event.epoch,
      from: landed.from,
      to: landed.to,
      count: Math.abs(landed.rows - kept),
      detail: `the gateway said that ${kept} rows are left of this batch, the commit took ${landed.rows}`,
      remedy: `Compare ${landed.key}, if it is still there, with the event.`,
    });
  }
  return findings;
}
