import { expect, test } from "vitest";
import type { GatewayView, Observation } from "../../../simulators/demo/observation.ts";
import {
  dueAction,
  FAILING_PUMP,
  freshStory,
  parseStory,
  reachedSteps,
  STEPS,
  type StepId,
  type StoryState,
} from "../../../simulators/demo/story.ts";

const NOW_US = 1_800_000_000_000_000;

const gateway: GatewayView = {
  readings: 100,
  readingsPerS: 10,
  acknowledged: 100,
  vectors: 10,
  late: 0,
  predictions: 100,
  raisedAlerts: 0,
  quarantined: 0,
  batchesDelivered: 1,
  rowsDelivered: 100,
  bytesWaiting: 0,
  model: "pump_health",
  version: 1,
  problems: [],
};
const nothing: Observation = { gateway: undefined, cloud: undefined, pumps: [], alerts: [] };
const healthy: Observation = { ...nothing, gateway, pumps: [pump(0.5)] };
const inAlarm: Observation = { ...nothing, gateway: { ...gateway, raisedAlerts: 1 }, pumps: [pump(50)] };

function pump(score: number) {
  return { device: FAILING_PUMP, score, threshold: 1, version: 1 };
}

function alert(state: string, windowEndUs: number): Observation["alerts"][number] {
  return { device: FAILING_PUMP, state, text: "", windowEnd: new Date(windowEndUs / 1_000).toISOString() };
}

/** The story with everything done up to and with a step. */
function after(step: StepId, times: Partial<StoryState> = {}): StoryState {
  const count = STEPS.findIndex(({ id }) => id === step) + 1;
  return { ...freshStory, done: STEPS.slice(0, count).map(({ id }) => id), ...times };
}

const last = (steps: readonly StepId[]): StepId | undefined => steps.at(-1);

test("nothing is reached while nothing can be seen, and no step before the one in front of it", () => {
  expect(reachedSteps(freshStory, nothing)).toEqual([]);
  expect(reachedSteps(freshStory, { ...healthy, gateway: { ...gateway, vectors: 0 } })).toEqual(["readings"]);
});

test("an alert counts only when it is of the failing pump and of a time after the break", () => {
  const state = after("loaded", { brokenAtUs: NOW_US });
  expect(last(reachedSteps(state, { ...healthy, alerts: [alert("raised", NOW_US - 1_000_000)] }))).toBe(
    "loaded",
  );
  const other = { ...alert("raised", NOW_US + 1_000_000), device: "another" };
  expect(last(reachedSteps(state, { ...healthy, alerts: [other] }))).toBe("loaded");
  expect(last(reachedSteps(state, { ...healthy, alerts: [alert("raised", NOW_US + 1_000_000)] }))).toBe(
    "alert",
  );
});

test("an alert that was raised or cleared while nobody watched is seen by the state that it left", () => {
  const broken = after("loaded", { brokenAtUs: NOW_US });
  expect(last(reachedSteps(broken, healthy))).toBe("loaded");
  expect(last(reachedSteps(broken, inAlarm))).toBe("alert");
  const repaired = after("alert", { brokenAtUs: NOW_US, repairedAtUs: NOW_US });
  expect(last(reachedSteps(repaired, inAlarm))).toBe("alert");
  expect(last(reachedSteps(repaired, nothing))).toBe("alert");
  expect(last(reachedSteps(repaired, healthy))).toBe("repaired");
});

test("the bearing breaks once enough healthy predictions were made", () => {
  const few = { ...healthy, gateway: { ...gateway, predictions: 59 } };
  const clock = { nowUs: NOW_US, told: undefined };
  expect(dueAction(after("loaded"), few, clock)).toBeUndefined();
  expect(dueAction(after("loaded"), healthy, clock)).toBe("break");
});

test("the repair waits for a few faulty windows, also over a restart", () => {
  const state = after("alert", { brokenAtUs: NOW_US, alertAtUs: NOW_US });
  const due = (elapsedS: number) =>
    dueAction(parseStory(JSON.stringify(state)), inAlarm, {
      nowUs: NOW_US + elapsedS * 1_000_000,
      told: undefined,
    });
  expect(due(7)).toBeUndefined();
  expect(due(8)).toBe("repair");
});

test("a command that shows no effect is given again, at once after a restart and then now and then", () => {
  const cases = [
    { state: after("loaded", { brokenAtUs: NOW_US }), action: "break" },
    {
      state: after("alert", { brokenAtUs: NOW_US, alertAtUs: NOW_US, repairedAtUs: NOW_US }),
      action: "repair",
    },
  ] as const;
  for (const { state, action } of cases) {
    const due = (elapsedS: number) =>
      dueAction(state, inAlarm, { nowUs: NOW_US + elapsedS * 1_000_000, told: { action, atUs: NOW_US } });
    expect(dueAction(state, inAlarm, { nowUs: NOW_US, told: undefined })).toBe(action);
    expect(due(14)).toBeUndefined();
    expect(due(15)).toBe(action);
  }
});

test("the label is published once in each run", () => {
  const state = after("repaired", { brokenAtUs: NOW_US, repairedAtUs: NOW_US });
  expect(dueAction(state, healthy, { nowUs: NOW_US, told: { action: "repair", atUs: 0 } })).toBe("label");
  expect(dueAction(state, healthy, { nowUs: NOW_US, told: { action: "label", atUs: 0 } })).toBeUndefined();
});

test("a story survives being remembered, and what is none is refused", () => {
  const state = after("alert", { brokenAtUs: 1, alertAtUs: 2 });
  expect(parseStory(JSON.stringify(state))).toEqual(state);
  for (const text of ["[]", "null", '{"done":3}']) expect(() => parseStory(text)).toThrow("no list of steps");
});
