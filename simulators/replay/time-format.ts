import { parseIsoUs } from "@sluice/shared/runtime/clock.ts";

/** Reads a time; NaN where the text is none. Whole microseconds since the epoch, UTC. */
export type TimeReader = (text: string) => number;

/** Formats that are not patterns. */
const NAMED: Readonly<Record<string, TimeReader>> = {
  // ECMAScript reads a time without a zone as local time: a recording must say its zone.
  iso: (text) => (/(Z|[+-]\d\d:?\d\d)$/.test(text) ? parseIsoUs(text) : Number.NaN),
  unix_s: (text) => unix(text, 1e6),
  unix_ms: (text) => unix(text, 1e3),
  unix_us: (text) => unix(text, 1),
};

const TOKENS: Readonly<Record<string, string>> = {
  YYYY: "(?<year>\\d{4})",
  MM: "(?<month>\\d{1,2})",
  DD: "(?<day>\\d{1,2})",
  HH: "(?<hour>\\d{1,2})",
  mm: "(?<minute>\\d{2})",
  ss: "(?<second>\\d{2})",
  SSS: "(?<fraction>\\d{1,6})",
};

/**
 * A reader for a format: "iso" (with its zone), "unix_s", "unix_ms", "unix_us", or a pattern of YYYY, MM, DD, HH, mm,
 * ss and SSS (up to six digits of a second) such as "YYYY-MM-DD HH:mm:ss".
 *
 * `zone` is "UTC" or an offset such as "+01:00", and is for patterns. Undefined where the format or the zone is none.
 */
export function timeReader(format: string, zone: string): TimeReader | undefined {
  const named = NAMED[format];
  if (named !== undefined) return named;
  const offsetUs = zoneOffsetUs(zone);
  const tokens = /YYYY|MM|DD|HH|mm|SSS|ss/g;
  const names: readonly string[] = format.match(tokens) ?? [];
  if (offsetUs === undefined || new Set(names).size !== names.length) return undefined;
  if (!["YYYY", "MM", "DD"].every((token) => names.includes(token))) return undefined;
  const literals = format.split(tokens).map((text) => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, "\\$&"));
  const source = literals.map((text, i) => text + (TOKENS[names[i] ?? ""] ?? "")).join("");
  const pattern = new RegExp(`^${source}$`);
  return (text) => {
    const groups = pattern.exec(text.trim())?.groups;
    return groups === undefined ? Number.NaN : utcUs(groups) - offsetUs;
  };
}

function utcUs(groups: Readonly<Record<string, string | undefined>>): number {
  const part = (name: string): number => Number(groups[name] ?? 0);
  const [year, month, day] = [part("year"), part("month"), part("day")];
  const [hour, minute, second] = [part("hour"), part("minute"), part("second")];
  const daysInMonth = month === 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31;
  const isTime = month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth && hour <= 23;
  if (!isTime || minute > 59 || second > 59) return Number.NaN;
  const fractionUs = Number((groups["fraction"] ?? "").padEnd(6, "0"));
  return Date.UTC(year, month - 1, day, hour, minute, second) * 1_000 + fractionUs;
}

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;

function zoneOffsetUs(zone: string): number | undefined {
  if (zone === "UTC" || zone === "Z") return 0;
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(zone) ?? [];
  if (sign === undefined) return undefined;
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60e6;
}

function unix(text: string, unitUs: number): number {
  return /^\s*-?\d+(\.\d+)?\s*$/.test(text) ? Math.round(Number(text) * unitUs) : Number.NaN;
}
