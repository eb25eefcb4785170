/** What a device's time counts since the epoch, UTC; `iso` is ISO 8601 with a zone. */
export const TIME_UNITS = ["s", "ms", "us", "ns", "iso"] as const;
export type TimeUnit = (typeof TIME_UNITS)[number];

const PER_US: Readonly<Record<Exclude<TimeUnit, "iso">, (value: number) => number>> = {
  s: (value) => value * 1_000_000,
  ms: (value) => value * 1_000,
  us: (value) => value,
  // A double holds nanoseconds of today to 256 ns: good enough for whole microseconds, give or take one.
  ns: (value) => value / 1_000,
};

const DECIMAL = /^[+-]?\d+(?:\.\d+)?$/;

/** An event time in whole microseconds since the epoch, from a number or its decimal text; NaN where it is not one. */
export function eventTimeUs(value: unknown, unit: TimeUnit): number {
  if (unit === "iso") return typeof value === "string" ? parseIsoTimeUs(value) : Number.NaN;
  const number = typeof value === "string" && DECIMAL.test(value) ? Number(value) : value;
  if (typeof number !== "number") return Number.NaN;
  const us = Math.round(PER_US[unit](number));
  return Number.isSafeInteger(us) ? us : Number.NaN;
}

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:[Zz]|([+-])(\d\d):?(\d\d))$/;

/**
 * Microseconds of an ISO 8601 time (RFC 3339; seconds may be missing, the fraction may have nine digits, which are
 * cut to six); NaN where it is not one, has no zone, or names a day or an hour that does not exist.
 */
export function parseIsoTimeUs(text: string): number {
  const parts = ISO.exec(text);
  if (parts === null) return Number.NaN;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = parts.slice(1, 6).map(Number);
  const second = Number(parts[6] ?? 0);
  const zoneHours = Number(parts[9] ?? 0);
  const zoneMinutes = Number(parts[10] ?? 0);
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return Number.NaN;
  if (hour > 23 || minute > 59 || second > 59 || zoneHours > 23 || zoneMinutes > 59) return Number.NaN;
  const zone = (zoneHours * 60 + zoneMinutes) * (parts[8] === "-" ? -60 : 60);
  const seconds = daysSinceEpoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - zone;
  return seconds * 1_000_000 + Number((parts[7] ?? "").padEnd(6, "0").slice(0, 6));
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days of the proleptic Gregorian calendar; the year is counted from March so that the leap day comes last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shifted = month > 2 ? year : year - 1;
  const monthFromMarch = (month + 9) % 12;
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return shifted * 365 + leapDays + dayOfYear - 719_468;
}
