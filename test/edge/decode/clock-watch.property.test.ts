import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { GroupStamp, RawMessage } from "@sluice/shared/contract/message.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { CLOCK_FLOOR_US, ClockWatch } from "../../../edge/decode/clock-watch.ts";
import { messageOf } from "./messages.ts";

const MINUTE_US = 60_000_000;
const HOUR_US = 60 * MINUTE_US;
const START_US = CLOCK_FLOOR_US + 100 * 24 * HOUR_US;

interface Arrival {
  readonly message: RawMessage;
  /** What a clock that is always as right as the one at the end of the boot would have said. */
  readonly rightUs: number;
}

const steps = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1_100_000, max: 5 * HOUR_US }) },
  { weight: 1, arbitrary: fc.integer({ min: -5 * HOUR_US, max: -1_100_000 }) },
);

/** Groups of messages; in each, the clock may be set before any one of them, or after the last, or not at all. */
const group = fc.record({
  restart: fc.oneof(
    { weight: 9, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
  idleUs: fc.oneof(fc.integer({ min: 0, max: MINUTE_US }), fc.integer({ min: 0, max: 10 * HOUR_US })),
  gapsUs: fc.array(fc.nat(40_000), { minLength: 1, maxLength: 6 }),
  commitUs: fc.nat(200_000),
  stepUs: steps,
  stepBefore: fc.nat(7),
  slewPpm: fc.integer({ min: -500, max: 500 }),
});

/** What two clocks say while groups arrive; everything follows from what was drawn. */
function arrivals(groups: readonly (typeof group extends fc.Arbitrary<infer G> ? G : never)[]): Arrival[] {
  const made: { message: RawMessage; trueUs: number; boot: number }[] = [];
  const settledUs: number[] = [];
  let [monotonicUs, offUs, boot, offset] = [0, START_US, 0, 0];
  for (const { restart, idleUs, gapsUs, commitUs, stepUs, stepBefore, slewPpm } of groups) {
    if (restart) {
      boot += 1;
      offUs += monotonicUs;
      monotonicUs = 0;
    }
    monotonicUs += idleUs;
    offUs += Math.round((idleUs * slewPpm) / 1_000_000);
    const came = gapsUs.map((gapUs, i) => {
      if (i === stepBefore) offUs += stepUs;
      monotonicUs += gapUs;
      return { monotonicUs, receivedAtUs: monotonicUs + offUs };
    });
    if (stepBefore >= gapsUs.length) offUs += stepUs;
    monotonicUs += commitUs;
    const stamp: GroupStamp = { bootId: `boot-${boot}`, monotonicUs, wallUs: monotonicUs + offUs };
    for (const each of came)
      made.push({
        message: { ...messageOf(offset++, "t", "1"), receivedAtUs: each.receivedAtUs, stamp },
        trueUs: each.monotonicUs,
        boot,
      });
    settledUs[boot] = offUs;
  }
  return made.map(({ message, trueUs, boot }) => ({ message, rightUs: trueUs + (settledUs[boot] ?? 0) }));
}

const watchAll = (watch: ClockWatch, messages: readonly RawMessage[]): NewEvent[] =>
  messages.flatMap((message) => watch.message(message));

const corrected = ({ offset, receivedAtUs }: RawMessage, events: readonly NewEvent[]): number =>
  events
    .filter(({ offsets }) => offsets !== undefined && offsets.from <= offset && offset <= offsets.through)
    .reduce((sum, { facts }) => sum + Number(facts?.["stepUs"]), receivedAtUs);

const LAST = { message: messageOf(1e6, "t", "1"), restart: true };

/** The groups, and one of another boot, behind which nothing is open. */
function told(made: readonly Arrival[], watch = new ClockWatch(1_000)): NewEvent[] {
  const last = { ...LAST.message, stamp: { bootId: "last", monotonicUs: 0, wallUs: START_US } };
  return watchAll(watch, [...made.map(({ message }) => message), last]);
}

/** No slew: then a corrected stamp must be right to the microsecond. After a long silence only long steps are told from one. */
const steady = fc.array(
  group.map((drawn) => ({
    ...drawn,
    idleUs: Math.abs(drawn.stepUs) < MINUTE_US ? drawn.idleUs % MINUTE_US : drawn.idleUs,
    slewPpm: 0,
    restart: false,
  })),
  { minLength: 1, maxLength: 30 },
);

test("with the steps applied to what came before them, every stamp of a boot is right to the microsecond", () => {
  fc.assert(
    fc.property(steady, ([first, ...rest]) => {
      if (first === undefined) return;
      const made = arrivals([{ ...first, stepUs: 0 }, ...rest]);
      const events = told(made);
      expect(made.map(({ message }) => corrected(message, events))).toEqual(
        made.map(({ rightUs }) => rightUs),
      );
    }),
    { numRuns: 500 },
  );
});

test("a slew is no step, however long nothing comes, and a new boot is none either", () => {
  const drifting = fc.array(
    group.map((drawn) => ({ ...drawn, stepUs: 0 })),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(drifting, (groups) => {
      expect(told(arrivals(groups))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test("each step is told once, with its boot, its size and the messages before it", () => {
  const [quiet] = fc.sample(group, { numRuns: 1, seed: 1 });
  const still = {
    ...quiet,
    restart: false,
    idleUs: MINUTE_US,
    gapsUs: [10, 10, 10],
    commitUs: 5,
    slewPpm: 0,
  };
  const made = arrivals([
    { ...still, stepUs: 0, stepBefore: 0 },
    { ...still, stepUs: 3 * HOUR_US, stepBefore: 2 },
    { ...still, stepUs: 0, stepBefore: 0 },
    { ...still, stepUs: -HOUR_US, stepBefore: 9 },
    { ...still, stepUs: -2 * HOUR_US, stepBefore: 0 },
  ]);
  const events = told(made);
  expect(events.map(({ kind, offsets, count, facts }) => ({ kind, offsets, count, facts }))).toEqual([
    {
      kind: "clock.stepped",
      offsets: { from: 0, through: 4 },
      count: 5,
      facts: { boot: "boot-0", stepUs: 3 * HOUR_US },
    },
    {
      kind: "clock.stepped",
      offsets: { from: 0, through: 11 },
      count: 12,
      facts: { boot: "boot-0", stepUs: -HOUR_US },
    },
    {
      kind: "clock.stepped",
      offsets: { from: 0, through: 11 },
      count: 12,
      facts: { boot: "boot-0", stepUs: -2 * HOUR_US },
    },
  ]);
  expect(events[0]?.detail).toMatch(/set forward by 10800000 ms, to 2026-.*the messages 0 to 4 are off/);
});

test("wherever the state is carried over to another process, the same is told", () => {
  fc.assert(
    fc.property(
      fc.array(group, { maxLength: 20 }),
      fc.array(fc.nat(60), { maxLength: 5 }),
      (groups, places) => {
        const made = arrivals(groups).map(({ message }) => message);
        let watch = new ClockWatch(1_000);
        const events = made.flatMap((message, i) => {
          if (places.includes(i)) {
            const state = structuredClone(watch.state());
            watch = new ClockWatch(1_000);
            watch.restore(state);
          }
          return watch.message(structuredClone(message)); // Another object for each message of a group.
        });
        const whole = new ClockWatch(1_000);
        expect(events).toEqual(watchAll(whole, made));
        expect(watch.state()).toEqual(whole.state());
      },
    ),
    { numRuns: 300 },
  );
});

test("a clock is wrong before the year of the software, and behind what an earlier boot said, until it is set", () => {
  const at = (offset: number, bootId: string, monotonicUs: number, wallUs: number): RawMessage => ({
    ...messageOf(offset, "t", "1"),
    receivedAtUs: wallUs,
    stamp: { bootId, monotonicUs, wallUs },
  });
  const watch = new ClockWatch(1_000);
  expect(watch.isUnsure(CLOCK_FLOOR_US - 1)).toBe(true);
  expect(watch.isUnsure(CLOCK_FLOOR_US)).toBe(false);
  watch.message(at(0, "a", 0, START_US));
  watch.message(at(1, "b", 0, START_US - HOUR_US));
  expect(watch.isUnsure(START_US - HOUR_US)).toBe(true);
  expect(watch.isUnsure(START_US - 500_000)).toBe(false); // Less than a step.
  expect(watch.message(at(2, "b", 10, START_US - HOUR_US / 2))).toHaveLength(1);
  expect(watch.isUnsure(START_US - HOUR_US / 2)).toBe(false); // Somebody has set it.
  watch.message(at(3, "c", 0, START_US - HOUR_US));
  expect(watch.isUnsure(START_US - HOUR_US)).toBe(true);
  watch.message(at(4, "c", HOUR_US, START_US));
  expect(watch.isUnsure(START_US)).toBe(false); // Time has caught up with it.
});

test("messages without a stamp say nothing of the clock", () => {
  expect(watchAll(new ClockWatch(1_000), [messageOf(0, "t", "1"), messageOf(1, "t", "1")])).toEqual([]);
});
