/** A time of each day in which little is sent: local minutes since midnight, half-open; `from` after `to` spans midnight. */
export interface QuietHours {
  readonly fromMinute: number;
  readonly toMinute: number;
}

/** The quiet times of a day, in the local time of a zone of the IANA time zone database. */
export interface QuietTimes {
  readonly zone: string;
  readonly hours: readonly QuietHours[];
}

const DAY_MINUTES = 1_440;
const MINUTE_US = 60_000_000;

/** "22:30" as minutes since midnight. */
export function minuteOfDay(text: string): number {
  const [hours = "0", minutes = "0"] = text.split(":");
  return Number(hours) * 60 + Number(minutes);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** What the clock on the wall of a zone shows, in minutes since midnight. Throws RangeError for a zone that is unknown. */
export function localMinute(zone: string, nowUs: number): number {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
    formats.set(zone, format);
  }
  return minuteOfDay(format.format(nowUs / 1_000));
}

const holds = ({ fromMinute, toMinute }: QuietHours, minute: number): boolean =>
  fromMinute <= toMinute
    ? minute >= fromMinute && minute < toMinute
    : minute >= fromMinute || minute < toMinute;

/** Until when it is quiet; undefined where it is not. Pure. */
export function quietUntilUs({ zone, hours }: QuietTimes, nowUs: number): number | undefined {
  if (hours.length === 0) return undefined;
  let atUs = nowUs;
  // One more round than there are hours, because one may begin where another ends; and two for a change of the clocks.
  for (let round = 0; round < hours.length + 3; round++) {
    const minute = localMinute(zone, atUs);
    const quiet = hours.find((one) => holds(one, minute));
    if (quiet === undefined) break;
    const minutes = (quiet.toMinute - minute + DAY_MINUTES) % DAY_MINUTES;
    atUs = endedAtUs(zone, quiet, (Math.floor(atUs / MINUTE_US) + minutes) * MINUTE_US);
  }
  return atUs === nowUs ? undefined : atUs;
}

/** When the clocks were changed meanwhile, the end lies earlier or later than its minutes tell. */
function endedAtUs(zone: string, { toMinute }: QuietHours, expectedUs: number): number {
  const offMinutes = ((localMinute(zone, expectedUs) - toMinute + 2.5 * DAY_MINUTES) % DAY_MINUTES) - 720;
  const correctedUs = expectedUs - offMinutes * MINUTE_US;
  // Where the clocks skip the end itself, there is nothing to correct.
  return localMinute(zone, correctedUs) === toMinute ? correctedUs : expectedUs;
}

/** Whether some minute of the day is left in which everything may be sent. */
export const leavesTime = (hours: readonly QuietHours[]): boolean =>
  Array.from({ length: DAY_MINUTES }, (_, minute) => minute).some(
    (minute) => !hours.some((one) => holds(one, minute)),
  );
