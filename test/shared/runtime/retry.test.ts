import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { backoffMs, retry } from "@sluice/shared/runtime/retry.ts";
import { assert, integer, nat, property } from "fast-check";
import { expect, test } from "vitest";

const away = new PipelineError("store.unavailable", "away");
const options = {
  clock: systemClock,
  random: seededRandom(1),
  backoff: { baseMs: 1, maxMs: 2 },
  attemptsMax: 4,
};

/** Work that fails with `error` until try number `succeedsAt`. */
function work(error: Error, succeedsAt: number): { tries: number; run: () => Promise<string> } {
  const state = {
    tries: 0,
    run: async (): Promise<string> => {
      if (++state.tries < succeedsAt) throw error;
      return "done";
    },
  };
  return state;
}

test("what may pass is tried again until it succeeds", async () => {
  const flaky = work(away, 4);
  await expect(retry(flaky.run, options)).resolves.toBe("done");
});

test("after the last try the error is thrown", async () => {
  const dead = work(away, 99);
  await expect(retry(dead.run, options)).rejects.toBe(away);
  expect(dead.tries).toBe(4);
});

test("what retrying cannot mend is thrown at once", async () => {
  const refused = work(new PipelineError("store.denied", "no"), 99);
  await expect(retry(refused.run, options)).rejects.toThrow("no");
  expect(refused.tries).toBe(1);
});

test("once aborted, nothing is tried again", async () => {
  const dead = work(away, 99);
  const stopping = new AbortController();
  const outcome = retry(dead.run, {
    ...options,
    backoff: { baseMs: 60_000, maxMs: 60_000 },
    signal: stopping.signal,
    onRetry: () => stopping.abort(),
  });
  await expect(outcome).rejects.toBe(away);
  expect(dead.tries).toBe(1);
});

test("a wait doubles up to its limit and is never less than half of that", () => {
  assert(
    property(nat(2_000), integer(), (attempt, seed) => {
      const waitMs = backoffMs({ baseMs: 100, maxMs: 5_000 }, attempt, seededRandom(seed));
      const ceiling = Math.min(5_000, 100 * 2 ** attempt);
      expect(waitMs).toBeGreaterThanOrEqual(ceiling / 2);
      expect(waitMs).toBeLessThanOrEqual(ceiling);
    }),
  );
});
