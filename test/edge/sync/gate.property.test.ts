import { addSent, readDaySent, sentToday, writeDaySent } from "@sluice/edge/sync/day-sent.ts";
import { gateRules, type Held, heldBy } from "@sluice/edge/sync/gate.ts";
import { leavesTime, localMinute, quietUntilUs } from "@sluice/edge/sync/quiet-hours.ts";
import { syncSettingsSchema } from "@sluice/edge/sync/settings.ts";
import { STREAMS } from "@sluice/shared/contract/stream.ts";
import { parseIsoUs } from "@sluice/shared/runtime/clock.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const DAY_US = 86_400_000_000;
const MINUTE_US = 60_000_000;
const START_US = parseIsoUs("2026-01-01T00:00:00Z");

const moment = fc.integer({ min: 0, max: 365 * 1_440 * 60 }).map((s) => START_US + s * 1_000_000);
const minute = fc.integer({ min: 0, max: 1_439 });
const hours = fc
  .array(
    fc
      .record({ fromMinute: minute, toMinute: minute })
      .filter(({ fromMinute, toMinute }) => fromMinute !== toMinute),
    { maxLength: 3 },
  )
  .filter(leavesTime);

test("in zones that never change their clocks it is quiet up to the moment that is told, and not then", () => {
  const zone = fc.constantFrom("UTC", "Asia/Kolkata", "Asia/Tokyo", "America/Phoenix");
  fc.assert(
    fc.property(zone, hours, moment, (zone, hours, nowUs) => {
      const local = localMinute(zone, nowUs);
      const isQuiet = hours.some(({ fromMinute, toMinute }) =>
        fromMinute < toMinute
          ? local >= fromMinute && local < toMinute
          : local >= fromMinute || local < toMinute,
      );
      const untilUs = quietUntilUs({ zone, hours }, nowUs);
      expect(untilUs !== undefined).toBe(isQuiet);
      if (untilUs === undefined) return;
      expect(untilUs).toBeGreaterThan(nowUs);
      expect(quietUntilUs({ zone, hours }, untilUs)).toBeUndefined();
      expect(quietUntilUs({ zone, hours }, untilUs - MINUTE_US)).toBe(untilUs);
    }),
  );
});

test("where clocks are changed in the night, quiet hours end by the clock on the wall", () => {
  const night = { zone: "Europe/Berlin", hours: [{ fromMinute: 22 * 60, toMinute: 6 * 60 }] };
  // On 2026-03-29 two o'clock is three; on 2026-10-25 three o'clock is two.
  for (const [now, until] of [
    ["2026-01-10T21:30:00Z", "2026-01-11T05:00:00Z"],
    ["2026-03-28T21:30:00Z", "2026-03-29T04:00:00Z"],
    ["2026-10-24T20:30:00Z", "2026-10-25T05:00:00Z"],
  ] as const)
    expect(quietUntilUs(night, parseIsoUs(now))).toBe(parseIsoUs(until));
});

test("on no day more is sent than the cap, readings leave the reserve, and what is held up may go when it is told", () => {
  const settings = syncSettingsSchema.parse({ bandwidthBytesPerDayMax: 100_000, dayReserveShare: 0.2 });
  const rules = gateRules(settings);
  const tries = fc.array(
    fc.record({
      stream: fc.constantFrom(...STREAMS),
      bytes: fc.integer({ min: 1, max: 60_000 }),
      waitMinutes: fc.integer({ min: 0, max: 400 }),
    }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(moment, tries, (startUs, tries) => {
      let nowUs = startUs;
      let sent = readDaySent(undefined);
      const perDay = new Map<number, { all: number; bulk: number }>();
      const refused: Held[] = [];
      const stillHeld: (Held | undefined)[] = [];
      const untilOff: number[] = [];
      for (const { stream, bytes, waitMinutes } of tries) {
        nowUs += waitMinutes * MINUTE_US;
        const held = heldBy(rules, { stream, bytes }, { sent, nowUs });
        if (held !== undefined) {
          refused.push(held);
          // What is held up goes when it is told.
          stillHeld.push(heldBy(rules, { stream, bytes }, { sent, nowUs: held.untilUs }));
          untilOff.push(held.untilUs - (Math.floor(nowUs / DAY_US) + 1) * DAY_US);
          continue;
        }
        // As it is after a restart.
        sent = readDaySent(writeDaySent(addSent(sent, bytes, nowUs)));
        const day = Math.floor(nowUs / DAY_US);
        const sum = perDay.get(day) ?? { all: 0, bulk: 0 };
        perDay.set(day, {
          all: sum.all + bytes,
          bulk: sum.bulk + (settings.urgentStreams.includes(stream) ? 0 : bytes),
        });
        expect(sentToday(sent, nowUs).bytes).toBe(perDay.get(day)?.all);
      }
      expect(refused.every(({ reason }) => reason === "day_budget")).toBe(true);
      expect(stillHeld.every((held) => held === undefined)).toBe(true);
      expect(untilOff.every((offUs) => offUs === 0)).toBe(true);
      for (const { all, bulk } of perDay.values()) {
        expect(all).toBeLessThanOrEqual(100_000);
        expect(bulk).toBeLessThanOrEqual(80_000);
      }
    }),
  );
});

test("a batch that is larger than a day's bytes goes as the first of a day", () => {
  const rules = gateRules(syncSettingsSchema.parse({ bandwidthBytesPerDayMax: 100_000 }));
  const batch = { stream: "readings", bytes: 200_000 } as const;
  const sent = addSent(readDaySent(undefined), 1, START_US);
  expect(heldBy(rules, batch, { sent, nowUs: START_US })).toMatchObject({ reason: "day_budget" });
  expect(heldBy(rules, batch, { sent, nowUs: START_US + DAY_US })).toBeUndefined();
});

test("quiet hours let through what is urgent, and nothing else", () => {
  const rules = gateRules(
    syncSettingsSchema.parse({ quietHours: [{ from: "06:00", to: "22:00" }], urgentStreams: ["labels"] }),
  );
  const nowUs = parseIsoUs("2026-05-05T12:00:00Z");
  const sent = readDaySent(undefined);
  for (const stream of STREAMS)
    expect(heldBy(rules, { stream, bytes: 1 }, { sent, nowUs })).toEqual(
      stream === "labels"
        ? undefined
        : { reason: "quiet_hours", untilUs: parseIsoUs("2026-05-05T22:00:00Z") },
    );
});

test("a note that is not one counts as nothing sent", () => {
  for (const text of [undefined, "", "x", "1", "1 -5", "1 2 3", "NaN 1"])
    expect(readDaySent(text)).toEqual({ day: 0, bytes: 0 });
});

test("settings that could never send, or name no zone, or forget a stream, are refused", () => {
  const refused = [
    { quietHours: [{ from: "06:00", to: "06:00" }] },
    {
      quietHours: [
        { from: "06:00", to: "18:00" },
        { from: "18:00", to: "06:00" },
      ],
    },
    { quietHours: [{ from: "6:00", to: "24:00" }] },
    { quietTimeZone: "Europe/Nowhere" },
    { uploadOrder: ["readings"] },
    { uploadOrder: [...STREAMS, "readings"] },
    { urgentStreams: ["everything"] },
    { bandwidthBytesPerDayMax: 10 },
    { dayReserveShare: 1 },
    { uploadsMax: 0 },
    { readings: { policy: "some" } },
    { readings: { policy: "thinned", intervalMs: 0 } },
    { readings: { policy: "around_anomalies", beforeMs: -1 } },
  ];
  for (const settings of refused)
    expect([settings, syncSettingsSchema.safeParse(settings).success]).toEqual([settings, false]);
});
