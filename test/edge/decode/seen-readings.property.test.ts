import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SeenReadings, type SeenSlot, type Verdict } from "../../../edge/decode/seen-readings.ts";
import { SeenRun } from "../../../edge/decode/seen-run.ts";

interface Sent {
  readonly offset: number;
  readonly device: string;
  readonly atUs: number;
  readonly value: number;
}

/** Messages of one reading each, some offsets left out; few times and values, so that many are alike. */
const log = fc
  .array(
    fc.record({
      gap: fc.oneof(
        { weight: 20, arbitrary: fc.constant(1) },
        { weight: 1, arbitrary: fc.integer({ min: 2, max: 40 }) },
      ),
      device: fc.constantFrom("p1", "p2"),
      atUs: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constant(undefined)),
      value: fc.constantFrom(0, -0, 1, 2),
    }),
    { maxLength: 150, size: "max" },
  )
  .map((drawn) => {
    let offset = 0;
    return drawn.map(({ gap, atUs, ...rest }): Sent => {
      offset += gap;
      return { ...rest, offset, atUs: atUs ?? offset };
    });
  });

/** The rule as it is said, over the whole log, with a Map per generation. */
function model(sent: readonly Sent[], windowMessages: number): Verdict[] {
  const generations = new Map<number, Map<string, string[]>>();
  return sent.map(({ offset, device, atUs, value }) => {
    const generation = Math.floor(offset / windowMessages);
    const now = generations.get(generation) ?? new Map<string, string[]>();
    generations.set(generation, now);
    const key = `${device} ${atUs}`;
    const bits = Object.is(value, -0) ? "-0" : String(value);
    const seen = [...(generations.get(generation - 1)?.get(key) ?? []), ...(now.get(key) ?? [])];
    now.set(key, [...(now.get(key) ?? []), bits]);
    if (seen.includes(bits)) return "duplicate";
    return seen.length > 0 ? "conflict" : "new";
  });
}

const newSlots = (): Map<string, SeenSlot> =>
  new Map(
    ["p1", "p2"].map((device) => [
      device,
      { series: { device, deviceType: "pump", metric: "a", unit: undefined } },
    ]),
  );

function judgeAll(seen: SeenReadings, slots: Map<string, SeenSlot>, sent: readonly Sent[]): Verdict[] {
  return sent.map(({ offset, device, atUs, value }) => {
    seen.message(offset);
    const slot = slots.get(device);
    return slot === undefined ? "new" : seen.judge(slot, atUs, value);
  });
}

const windows = fc.integer({ min: 1, max: 40 });

test("a reading is judged as the rule says, whatever the order of times", () => {
  fc.assert(
    fc.property(log, windows, (sent, windowMessages) => {
      expect(judgeAll(new SeenReadings(windowMessages), newSlots(), sent)).toEqual(
        model(sent, windowMessages),
      );
    }),
    { numRuns: 500 },
  );
});

test("a process that begins anywhere judges alike once it has seen the generation before", () => {
  fc.assert(
    fc.property(log, windows, fc.array(fc.nat(150), { maxLength: 5 }), (sent, windowMessages, restarts) => {
      const readingsMax = 40; // Small, so that what is not remembered is the same too.
      const whole = judgeAll(new SeenReadings(windowMessages, readingsMax), newSlots(), sent);
      for (const at of restarts) {
        const first = sent[at];
        if (first === undefined) continue;
        const fromOffset = (Math.floor(first.offset / windowMessages) - 1) * windowMessages;
        const seen = new SeenReadings(windowMessages, readingsMax);
        const slots = newSlots();
        judgeAll(
          seen,
          slots,
          sent.slice(0, at).filter(({ offset }) => offset >= fromOffset),
        );
        expect(judgeAll(seen, newSlots(), sent.slice(at))).toEqual(whole.slice(at));
      }
    }),
    { numRuns: 300 },
  );
});

test("beyond its limit it recognises fewer and says how many, and never takes a new reading for a duplicate", () => {
  fc.assert(
    fc.property(log, windows, fc.nat(60), (sent, windowMessages, readingsMax) => {
      const expected = model(sent, windowMessages);
      const seen = new SeenReadings(windowMessages, readingsMax);
      const verdicts = judgeAll(seen, newSlots(), sent);
      const missed = verdicts.filter((verdict, i) => verdict === "new" && expected[i] !== "new").length;
      expect(verdicts.filter((verdict, i) => verdict === "duplicate" && expected[i] !== verdict)).toEqual([]);
      const counts = seen.finish();
      expect(counts.unremembered).toBeGreaterThanOrEqual(Math.min(missed, 1));
      expect(counts.duplicates).toBe(verdicts.filter((verdict) => verdict === "duplicate").length);
      expect(counts.conflicts).toBe(verdicts.filter((verdict) => verdict === "conflict").length);
      expect(seen.finish()).toEqual({ duplicates: 0, conflicts: 0, unremembered: 0 });
    }),
    { numRuns: 300 },
  );
});

test("a window of 0 switches it off", () => {
  const [slot] = newSlots().values();
  const seen = new SeenReadings(0);
  seen.message(0);
  const verdicts = [1, 1, 1].map((value) => (slot === undefined ? "" : seen.judge(slot, 5, value)));
  expect(verdicts).toEqual(["new", "new", "new"]);
});

test("a run finds exactly what was added, in any order, however much is gathered", () => {
  const readings = fc.array(fc.tuple(fc.nat(300), fc.constantFrom(0, -0, 1.5)), {
    maxLength: 1_000,
    size: "max",
  });
  fc.assert(
    fc.property(readings, (drawn) => {
      const run = new SeenRun();
      const held = new Map<number, number[]>();
      for (const [timeUs, value] of drawn) {
        const values = held.get(timeUs) ?? [];
        const isSame = values.some((each) => Object.is(each, value));
        expect(run.find(timeUs, value)).toBe(isSame ? "same" : values.length > 0 ? "other" : "none");
        if (isSame) continue;
        run.add(timeUs, value);
        held.set(timeUs, [...values, value]);
      }
      expect(run.count).toBe([...held.values()].flat().length);
      for (let timeUs = -1; timeUs <= 301; timeUs++)
        for (const value of [0, -0, 1.5, 2]) {
          const values = held.get(timeUs) ?? [];
          const isSame = values.some((each) => Object.is(each, value));
          expect(run.find(timeUs, value)).toBe(isSame ? "same" : values.length > 0 ? "other" : "none");
        }
    }),
    { numRuns: 100 },
  );
});
