import { parseIsoUs } from "@sluice/shared/runtime/clock.ts";
import type { SqlResult } from "./sql.ts";
import { type Finding, type ProofState, stateOf } from "./verify-finding.ts";
import type { VerifyScope } from "./verify.ts";
import { type LossEvent, streamOf, timeOfLoss } from "./verify-events.ts";
import { quoteText } from "./views.ts";

const HOUR_US = 3_600_000_000;

/** Device hours that are looked at; beyond it --gateway, --from and --to make the question smaller. */
const HOURS_MAX = 1_000_000;

/** One hour of one device: how many of its readings are in the lake, and what of it is missing. */
export interface DeviceHour {
  readonly gateway: string;
  readonly device: string;
  /** The hour's begin, ISO 8601. */
  readonly hour: string;
  readonly rows: number;
  readonly state: ProofState;
  /** What is missing and why; what is said of several devices at once is said of each. */
  readonly missing: readonly string[];
}

export interface DeviceHours {
  readonly hours: readonly DeviceHour[];
  /** Device hours in all; there may be more than were looked at. */
  readonly isWhole: boolean;
}

/** Rows of readings between offsets that are missing, by arrival: where the missing ones must have been. */
interface Extent {
  readonly fromUs: number;
  readonly toUs: number;
}

/**
 * Says for every device and hour of event time whether it is complete. Reads the columns gateway, device, time and
 * offset of the readings: no log knows devices.
 *
 * A range of offsets that is missing may concern every device of its gateway, in the hours between the rows before and
 * behind it; what was given up at the gateway names its devices and times, and concerns only those.
 */
export async function deviceHours(
  sql: (query: string) => Promise<SqlResult>,
  { findings, events }: { readonly findings: readonly Finding[]; readonly events: readonly LossEvent[] },
  scope: VerifyScope,
): Promise<DeviceHours> {
  const { rows } = await sql(`SELECT gateway, device, date_trunc('hour', measured_at) AS hour, count(*)
    FROM readings ${whereOf(scope)} GROUP BY ALL ORDER BY gateway, device, hour LIMIT ${HOURS_MAX + 1}`);
  const missing = findings.filter(
    ({ kind, table }) =>
      table === "readings" &&
      ["gap", "lost", "outbox", "landed", "overlap", "delivered_missing"].includes(kind),
  );
  const placed = await Promise.all(
    missing.map(async (finding) => ({ finding, extent: await extentOf(sql, finding) })),
  );
  const given = events.filter((event) => streamOf(event) === "readings");
  const hours = rows.slice(0, HOURS_MAX).map(([gateway, device, hour, count]): DeviceHour => {
    const place = { gateway: String(gateway), device: String(device), hourUs: parseIsoUs(String(hour)) };
    const ranges = placed
      .filter(({ finding, extent }) => finding.gateway === place.gateway && meets(place.hourUs, extent))
      .map(({ finding }) => finding);
    const gone = given.filter((event) => concerns(event, place));
    return {
      gateway: place.gateway,
      device: place.device,
      hour: String(hour),
      rows: Number(count),
      state: ranges.length === 0 && gone.length > 0 ? "explained" : stateOf(ranges),
      missing: [...ranges.map(({ detail }) => detail), ...gone.map(({ detail }) => detail)],
    };
  });
  return { hours, isWhole: rows.length <= HOURS_MAX };
}

function whereOf({ gateway, fromUs, toUs }: VerifyScope): string {
  const at = (us: number): string => `make_timestamptz(${us})`;
  const conditions = [
    ...(gateway === undefined ? [] : [`gateway = ${quoteText(gateway)}`]),
    ...(fromUs === undefined ? [] : [`measured_at >= ${at(fromUs)}`]),
    ...(toUs === undefined ? [] : [`measured_at < ${at(toUs)}`]),
  ];
  return conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
}

/** Between which times the readings of a range were measured: by the rows before and behind it. */
async function extentOf(
  sql: (query: string) => Promise<SqlResult>,
  { gateway, epoch, from, to }: Finding,
): Promise<Extent> {
  if (gateway === undefined || epoch === undefined || from === undefined)
    return { fromUs: -Infinity, toUs: Infinity };
  const { rows } = await sql(`SELECT
      (SELECT arg_max(received_at, "offset") FROM readings WHERE gateway = ${quoteText(gateway)} AND epoch = ${quoteText(epoch)} AND "offset" < ${from}),
      (SELECT arg_min(received_at, "offset") FROM readings WHERE gateway = ${quoteText(gateway)} AND epoch = ${quoteText(epoch)} AND "offset" > ${to ?? from})`);
  const [before, behind] = rows[0] ?? [];
  return {
    fromUs: typeof before === "string" ? parseIsoUs(before) : -Infinity,
    toUs: typeof behind === "string" ? parseIsoUs(behind) : Infinity,
  };
}

const meets = (hourUs: number, { fromUs, toUs }: Extent): boolean =>
  hourUs + HOUR_US > fromUs && hourUs <= toUs;

/** Whether an event is about a device's hour. Names that did not fit into the event may be any of the gateway's. */
function concerns(
  event: LossEvent,
  { gateway, device, hourUs }: { readonly gateway: string; readonly device: string; readonly hourUs: number },
): boolean {
  if (event.gateway !== gateway) return false;
  const time = timeOfLoss(event);
  if (time !== undefined && !meets(hourUs, { fromUs: time.fromUs, toUs: time.throughUs })) return false;
  const named = event.device ?? event.facts["devices"];
  if (typeof named !== "string" || named === "") return true;
  const names = named.split(", ");
  return names.includes(device) || Number(event.facts["deviceCount"] ?? 0) > names.length;
}
