import type { Attempt } from "@sluice/shared/contract/attempt.ts";
import { expect, test } from "vitest";
import { dueTrigger, type TriggerInput } from "../../cloud/trigger.ts";

const SETTINGS = { firstRows: 500, newRows: 1_000, newLabels: 2, cooldownMs: 60_000 };
const NOW_US = 1_800_000_000_000_000;

function attempt(own: Partial<Attempt> = {}): Attempt {
  return {
    attempt: 1,
    model: "pump_health",
    trigger: "first_model",
    cutoffUs: 0,
    startedAtUs: 0,
    endedAtUs: 0,
    rows: 500,
    labels: 1,
    decision: "promote",
    reasons: [],
    table: "",
    ...own,
  };
}

function due(own: Partial<TriggerInput>, settings = SETTINGS): Attempt["trigger"] | undefined {
  return dueTrigger(settings, { nowUs: NOW_US, champion: 1, last: attempt(), rows: 500, labels: 1, ...own });
}

test("the first model waits for enough vectors", () => {
  const none = { champion: undefined, last: undefined };
  expect(due({ ...none, rows: 499 })).toBeUndefined();
  expect(due({ ...none, rows: 500 })).toBe("first_model");
});

test("after a first model that was not good enough, a tenth more vectors or a label make the next", () => {
  const rejected = { champion: undefined, last: attempt({ decision: "reject" }) };
  expect(due({ ...rejected, rows: 549 })).toBeUndefined();
  expect(due({ ...rejected, rows: 550 })).toBe("first_model");
  expect(due({ ...rejected, labels: 2 })).toBe("first_model");
});

test("labels and vectors are counted from the attempt before, and labels come first", () => {
  expect(due({ labels: 2, rows: 1_499 })).toBeUndefined();
  expect(due({ labels: 3 })).toBe("new_labels");
  expect(due({ rows: 1_500 })).toBe("new_data");
  expect(due({ labels: 3, rows: 1_500 })).toBe("new_labels");
});

test("a trigger of 0 never fires", () => {
  const off = { ...SETTINGS, newRows: 0, newLabels: 0 };
  expect(due({ rows: 1_000_000, labels: 1_000 }, off)).toBeUndefined();
});

test("nothing is trained while the attempt before is cooling down, and a failed one counts", () => {
  const last = attempt({ decision: "failed", endedAtUs: NOW_US - 59_999_999 });
  expect(due({ last, labels: 10 })).toBeUndefined();
  expect(due({ last: { ...last, endedAtUs: NOW_US - 60_000_000 }, labels: 10 })).toBe("new_labels");
});
