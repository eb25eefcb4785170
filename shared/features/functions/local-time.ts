import type { Call, TextSetting } from "./function.ts";

/** The wall clock and the calendar of one place at one moment. */
export interface LocalTime {
  /** 0 to 23. */
  readonly hour: number;
  /** 1 (Monday) to 7 (Sunday), as ISO 8601 has it. */
  readonly weekday: number;
  /** 1 (1 January) to 366. */
  readonly dayOfYear: number;
  readonly daysInYear: number;
  /** Since midnight by the clock on the wall, 0 to 86,399. */
  readonly secondOfDay: number;
}

/** A zone with its last answer: the calendar functions of a view ask one after another for the same moment. */
interface Zone {
  readonly format: Intl.DateTimeFormat;
  second: number;
  local: LocalTime | undefined;
}

/** Most zones that are kept ready; there are some hundreds, of which views use a few. */
const ZONES_MAX = 64;

const zones = new Map<string, Zone>();

const DAY_S = 86_400;

/** The last second that Intl knows, in 275760. */
const SECOND_MAX = 8.64e12;

/** The setting of all calendar functions. */
export const ZONE: TextSetting = {
  refuse: (text) => (isZone(text) ? undefined : "is no time zone such as Europe/Berlin"),
  says: "a time zone such as Europe/Berlin",
  default: "UTC",
};

function isZone(text: string): boolean {
  try {
    zoneOf(text);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Throws a RangeError where there is no such zone. */
function zoneOf(name: string): Zone {
  const known = zones.get(name);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: name,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const zone = { format, second: Number.NaN, local: undefined };
  if (zones.size >= ZONES_MAX) zones.clear();
  zones.set(name, zone);
  return zone;
}

/**
 * The local time of a window: that of its last microsecond, so that the hour from 10 to 11 is at hour 10 although it
 * ends at 11. Undefined beyond the years that Intl knows.
 *
 * The rules of the zones are those of the Node that runs it (its ICU has a version of the IANA database): after a country
 * changes its rules, nodes of different age differ in the time after that.
 */
export function localTimeOf({ settings, endUs }: Call): LocalTime | undefined {
  const { zone: name } = settings;
  const second = Math.floor((endUs - 1) / 1_000_000);
  if (typeof name !== "string" || !(Math.abs(second) <= SECOND_MAX)) return undefined;
  const zone = zoneOf(name);
  if (zone.second !== second) {
    zone.local = localTimeAt(zone.format, second);
    zone.second = second;
  }
  return zone.local;
}

function localTimeAt(format: Intl.DateTimeFormat, second: number): LocalTime {
  const parts = new Map(format.formatToParts(second * 1_000).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? Number.NaN;
  const year = part("year");
  const day = dayNumber(year, part("month"), part("day"));
  const newYear = dayNumber(year, 1, 1);
  return {
    hour: part("hour"),
    weekday: (((day % 7) + 10) % 7) + 1, // 1970-01-01, day 0, was a Thursday.
    dayOfYear: day - newYear + 1,
    daysInYear: dayNumber(year + 1, 1, 1) - newYear,
    secondOfDay: (part("hour") * 60 + part("minute")) * 60 + part("second"),
  };
}

/** Days from 1970-01-01 to a day of the Gregorian calendar, of whatever year after 0. */
function dayNumber(year: number, month: number, day: number): number {
  // Years begin in March, so that the leap day is the last one.
  const [y, m] = month > 2 ? [year, month - 3] : [year - 1, month + 9];
  const leapDays = Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400);
  return y * 365 + leapDays + Math.floor((m * 153 + 2) / 5) + day - 719_469;
}

/** How much of the local day is over, 0 to below 1; a day is 24 hours by the clock on the wall, also when it is put forward. */
export function dayTurn({ secondOfDay }: LocalTime): number {
  return secondOfDay / DAY_S;
}

/** How much of the local week is over, from Monday on. */
export function weekTurn({ weekday, secondOfDay }: LocalTime): number {
  return ((weekday - 1) * DAY_S + secondOfDay) / (7 * DAY_S);
}

/** How much of the local year is over, from 1 January on. */
export function yearTurn({ dayOfYear, daysInYear, secondOfDay }: LocalTime): number {
  return ((dayOfYear - 1) * DAY_S + secondOfDay) / (daysInYear * DAY_S);
}
