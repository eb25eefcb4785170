import { type AlertLimits, AlertTracker } from "@sluice/edge/inference/alert-tracker.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const limits = fc.record({
  raiseAfterWindows: fc.integer({ min: 1, max: 4 }),
  clearAfterWindows: fc.integer({ min: 1, max: 4 }),
  suspectDevicesMax: fc.constant(1_000),
});
const windows = fc.array(fc.tuple(fc.constantFrom("p1", "p2", "p3"), fc.boolean()), { maxLength: 80 });

/** The rule in its own words: look back over a device's whole past. */
function expectedChange(
  past: readonly boolean[],
  raisedBefore: boolean,
  after: { raise: number; clear: number },
) {
  const tail = (count: number, verdict: boolean): boolean =>
    past.length >= count && past.slice(-count).every((anomalous) => anomalous === verdict);
  if (!raisedBefore && tail(after.raise, true)) return "raised";
  return raisedBefore && tail(after.clear, false) ? "cleared" : undefined;
}

function restarted(tracker: AlertTracker, limits: AlertLimits): AlertTracker {
  const next = new AlertTracker(limits);
  next.restore(tracker.state());
  return next;
}

test("an alert is raised and cleared after just so many windows in a row, across restarts at any window", () => {
  fc.assert(
    fc.property(limits, windows, fc.integer({ min: 0, max: 80 }), (limits, windows, restartAt) => {
      let tracker = new AlertTracker(limits);
      const pasts = new Map<string, boolean[]>();
      const raised = new Set<string>();
      for (const [i, [device, anomalous]] of windows.entries()) {
        if (i === restartAt) tracker = restarted(tracker, limits);
        const past = [...(pasts.get(device) ?? []), anomalous];
        pasts.set(device, past);
        const after = { raise: limits.raiseAfterWindows, clear: limits.clearAfterWindows };
        const expected = expectedChange(past, raised.has(device), after);
        expect(tracker.observe(device, anomalous)).toBe(expected);
        if (expected === "raised") raised.add(device);
        if (expected === "cleared") raised.delete(device);
        expect(tracker.raisedCount).toBe(raised.size);
      }
    }),
    { numRuns: 300 },
  );
});

const bounded = { raiseAfterWindows: 1, clearAfterWindows: 1, suspectDevicesMax: 3 };

test("devices that are plainly normal are not remembered", () => {
  const tracker = new AlertTracker(bounded);
  const empty = tracker.state();
  for (let i = 0; i < 100; i++) tracker.observe(`pump-${i}`, false);
  expect(tracker.state()).toBe(empty);
});

test("beyond the limit the longest unchanged device is forgotten and counted", () => {
  const tracker = new AlertTracker({ ...bounded, clearAfterWindows: 3 });
  for (const device of ["a", "b", "c"]) tracker.observe(device, true);
  tracker.observe("a", false); // Changes a, so that b is the longest unchanged now.
  tracker.observe("d", true);
  expect(tracker.forgottenCount).toBe(1);
  // Forgotten is normal: b is raised anew, the others are in alarm already.
  expect(tracker.raisedCount).toBe(3);
  expect(["a", "c", "d", "b"].map((device) => tracker.observe(device, true))).toEqual([
    undefined,
    undefined,
    undefined,
    "raised",
  ]);
});

test("restoring gives back just what was stored", () => {
  const tracker = new AlertTracker({ ...bounded, raiseAfterWindows: 2 });
  for (const device of ["a", "b", "b"]) tracker.observe(device, true);
  expect(restarted(tracker, bounded).state()).toBe(tracker.state());
});

test.each([
  "",
  "null",
  "[]",
  '{"version":2,"devices":[]}',
  '{"version":1}',
  '{"version":1,"devices":["pump"]}',
  '{"version":1,"devices":[["pump",-1,0,true]]}',
  '{"version":1,"devices":[["pump",1,0.5,true]]}',
  '{"version":1,"devices":[["pump",1,0,"yes"]]}',
])("stored state %j is refused, and what is known stays", (state) => {
  const tracker = new AlertTracker(bounded);
  tracker.observe("pump", true);
  const before = tracker.state();
  expect(() => tracker.restore(state)).toThrow(PipelineError);
  expect(tracker.state()).toBe(before);
});
