import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { expect, test } from "vitest";
import { STEP_MESSAGES_MAX } from "../../edge/pipeline.ts";
import { StepPace, WAIT_MS_MAX, WAIT_MS_MIN } from "../../edge/step-pace.ts";

/** After how many milliseconds a step is due behind one that took so long. */
async function waitAfter(tookMs: number): Promise<number> {
  const clock = new SimulatedClock(0);
  const pace = new StepPace({ ...bound(clock), monotonicUs: stepping(tookMs) });
  pace.timed(() => undefined);
  const due = pace.due(1).then(() => clock.monotonicUs() / 1_000);
  await clock.advance(2 * WAIT_MS_MAX);
  return due;
}

const bound = (clock: SimulatedClock) => ({
  nowUs: () => clock.nowUs(),
  sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
});

/** Goes on by so much from one look to the next. */
function stepping(byMs: number): () => number {
  let atUs = 0;
  return () => (atUs += byMs * 1_000);
}

test("a step waits twenty times as long as the last one took, within its limits", async () => {
  expect(await waitAfter(0)).toBe(WAIT_MS_MIN);
  expect(await waitAfter(2)).toBe(40);
  expect(await waitAfter(1_000)).toBe(WAIT_MS_MAX);
});

test("a step is due at once where a whole one waits, be it from the beginning or meanwhile", async () => {
  const pace = new StepPace(new SimulatedClock(0));
  await pace.due(STEP_MESSAGES_MAX);
  let isDue = false;
  const due = pace.due(1).then(() => (isDue = true));
  pace.waiting(STEP_MESSAGES_MAX - 1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(isDue).toBe(false);
  pace.waiting(STEP_MESSAGES_MAX);
  await due;
});
