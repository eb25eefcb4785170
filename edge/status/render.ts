import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { diskLines } from "./disk-lines.ts";
import type { GatewayStatus, SourceStatus } from "./gateway-status.ts";
import { count, inBytes } from "./words.ts";

/** A status for a person: plain words, units, what is wrong first. Pure. */
export function renderStatus(status: GatewayStatus): string {
  const { buffer, sync, inference, features, counters } = status;
  const slot = inference.slot;
  const rows: (readonly [string, string])[] = [
    [
      "gateway",
      `${status.gateway}, version ${status.softwareVersion}, up ${count(status.uptimeS)} s, ${inBytes(status.memoryBytes)} memory`,
    ],
    ...(status.healthy ? ["healthy"] : status.problems).map(
      (line, i) => [i === 0 ? "health" : "", line] as const,
    ),
    ...status.ingest.map(
      (source) => [source.name, `${source.address}, ${traffic(source)}${refusals(source.refused)}`] as const,
    ),
    [
      "buffer",
      `${count(buffer.nextOffset)} messages, decoded ${count(buffer.decodedThrough + 1)}, in the lake ${count(buffer.deliveredThrough + 1)}`,
    ],
    ...diskLines(status),
    [
      "readings",
      `${count(counters["readings"] ?? 0)}, ${status.rates.readingsPerS.toFixed(1)} per second over the last minute`,
    ],
    ["quarantine", quarantine(counters)],
    ...contracts(status),
    ["duplicates", `${count(buffer.duplicates)} redeliveries recognised${sentAgain(counters)}`],
    ["refused", `${count(buffer.refused + status.commit.refused)} messages that the disk could not take`],
    [
      "features",
      features.views.length === 0
        ? "no views"
        : features.views.map((view) => viewText(view, features.counters)).join(", "),
    ],
    ["model", modelText(slot)],
    [
      "predictions",
      `${count(counters["predictions"] ?? 0)}, ${plural(inference.raisedAlerts, "device")} in alarm`,
    ],
    [
      "lake",
      `${sync.lake === "unknown" ? "not tried yet" : sync.lake}, ${count(sync.delivered.rows)} rows delivered since the start, ${plural(buffer.outbox.batches, "batch", "batches")} (${inBytes(buffer.outbox.bytes)}) and ${plural(sync.pendingRows, "row")} waiting${drained(status)}`,
    ],
    ...(sync.held === undefined ? [] : [["", heldText(sync.held)] as const]),
    ...(sync.lake !== "away" || sync.lastError === undefined
      ? []
      : [["", `last error at ${isoTime(sync.lastError.atUs)}: ${sync.lastError.message}`] as const]),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join("\n");
}

const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

/** Files of the spool have no connection, and nobody waits for their acknowledgement. */
function traffic({ name, connections, received, receivedBytes, acknowledged }: SourceStatus): string {
  const came = `${count(received)} received (${inBytes(receivedBytes)})`;
  return name === "spool"
    ? came
    : `${plural(connections, "connection")}, ${came}, ${count(acknowledged)} acknowledged after fsync`;
}

const heldText = ({ reason, untilUs, streams }: NonNullable<GatewayStatus["sync"]["held"]>): string =>
  `${streams.join(", ")} wait until ${isoTime(untilUs)}: ${reason === "quiet_hours" ? "quiet hours" : "the day's bytes are used up"}`;

function drained({ capacity: { drainS }, sync }: GatewayStatus): string {
  if (drainS !== undefined) return drainS < 1 ? "" : `, delivered in ${count(drainS)} s at the present rate`;
  return sync.lake === "reached" && sync.held === undefined ? ", not getting less at the present rate" : "";
}

const modelText = (slot: GatewayStatus["inference"]["slot"]): string => {
  if (slot.state === "ready") return `${slot.model.model} version ${slot.model.version}`;
  return slot.state === "empty" ? "none yet" : `none can score: ${slot.reason}`;
};

function viewText(
  { name, hash, withheldDevices }: GatewayStatus["features"]["views"][number],
  counters: Readonly<Record<string, number>>,
): string {
  const of = (what: string): number => counters[`features.${name}.${what}`] ?? 0;
  const lost = of("late_beyond_correction") + of("shed_readings");
  return `${name} ${hash.slice(0, 12)}: ${count(of("vectors"))} vectors, ${count(of("revisions"))} revised, ${count(of("late"))} late readings${lost === 0 ? "" : `, ${count(lost)} too late or too many`}${withheldDevices === 0 ? "" : `, ${plural(withheldDevices, "device")} withheld from models`}`;
}

/** What is said of readings that were sent again in other packets. */
function sentAgain(counters: Readonly<Record<string, number>>): string {
  const said = [
    ["duplicates", "readings sent again"],
    ["conflicts", "sent again with another value, both stored"],
    ["unremembered", "too many to be compared"],
  ] as const;
  return said
    .filter(([name]) => (counters[name] ?? 0) > 0)
    .map(([name, text]) => `, ${count(counters[name] ?? 0)} ${text}`)
    .join("");
}

const refusals = (refused: Readonly<Record<string, number>>): string =>
  Object.entries(refused)
    .filter(([, value]) => value > 0)
    .map(([reason, value]) => `, ${count(value)} refused (${reason})`)
    .join("");

/** How devices keep their contracts; nothing where they always did. */
function contracts({ contracts: { openCount, open, staleCount }, counters }: GatewayStatus) {
  const named = open.map(
    ({ device, violationShare }) => `${device} (${Math.round(violationShare * 100)} % violations)`,
  );
  const others = openCount > open.length ? ` and ${count(openCount - open.length)} more` : "";
  const isOpen = openCount === 0 ? "none open" : `${count(openCount)} open: ${named.join(", ")}${others}`;
  const withheld = `${count(counters["withheld"] ?? 0)} readings withheld`;
  const silent = `${plural(staleCount, "metric")} for longer than the contract allows`;
  return [
    ...(openCount > 0 || (counters["withheld"] ?? 0) > 0
      ? ([["breakers", `${isOpen}, ${withheld} so far`]] as const)
      : []),
    ...(staleCount > 0 ? ([["silent", silent]] as const) : []),
  ];
}

function quarantine(counters: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(counters)
    .filter(([name]) => name.startsWith("quarantine."))
    .map(([name, value]) => `${name.slice("quarantine.".length)} ${count(value)}`);
  if (reasons.length === 0) return "nothing refused so far";
  const givenUp = counters["quarantineGivenUp"] ?? 0;
  const gone = givenUp === 0 ? "" : `; ${count(givenUp)} of them no longer kept whole, for room`;
  return `${count(counters["quarantined"] ?? 0)} refused so far: ${reasons.join(", ")}${gone}; sluice-gateway quarantine ls`;
}
