import type { Stream } from "@sluice/shared/contract/stream.ts";
import { dayEndUs, type DaySent, sentToday } from "./day-sent.ts";
import { minuteOfDay, type QuietTimes, quietUntilUs } from "./quiet-hours.ts";
import type { SyncSettings } from "./settings.ts";

/** What may be sent when. */
export interface GateRules {
  /** Streams that quiet hours do not hold up, and for which the last share of the day's bytes is kept. */
  readonly urgent: ReadonlySet<Stream>;
  readonly quiet: QuietTimes;
  /** Undefined where there is no cap. */
  readonly dayBytesMax: number | undefined;
  readonly dayReserveShare: number;
}

/** Why a batch is not sent now, and when that is over. */
export interface Held {
  readonly reason: "quiet_hours" | "day_budget";
  readonly untilUs: number;
}

export const gateRules = (settings: SyncSettings): GateRules => ({
  urgent: new Set(settings.urgentStreams),
  quiet: {
    zone: settings.quietTimeZone,
    hours: settings.quietHours.map(({ from, to }) => ({
      fromMinute: minuteOfDay(from),
      toMinute: minuteOfDay(to),
    })),
  },
  dayBytesMax: settings.bandwidthBytesPerDayMax,
  dayReserveShare: settings.dayReserveShare,
});

/**
 * Whether a batch of a stream may be sent now: undefined, or why not. Pure.
 *
 * A day's bytes are not exceeded, but by one batch that is larger than all that its stream may have of a day: it goes
 * when nothing was sent yet, because else it would never go.
 */
export function heldBy(
  rules: GateRules,
  batch: { readonly stream: Stream; readonly bytes: number },
  now: { readonly sent: DaySent; readonly nowUs: number },
): Held | undefined {
  const { nowUs } = now;
  const isUrgent = rules.urgent.has(batch.stream);
  const untilUs = isUrgent ? undefined : quietUntilUs(rules.quiet, nowUs);
  if (untilUs !== undefined) return { reason: "quiet_hours", untilUs };
  if (rules.dayBytesMax === undefined) return undefined;
  const { bytes } = sentToday(now.sent, nowUs);
  const limit = Math.floor(rules.dayBytesMax * (isUrgent ? 1 : 1 - rules.dayReserveShare));
  if (bytes === 0 || bytes + batch.bytes <= limit) return undefined;
  return { reason: "day_budget", untilUs: dayEndUs(nowUs) };
}
