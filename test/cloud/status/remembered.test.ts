import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { remembered } from "@sluice/cloud/status/remembered.ts";
import { expect, test } from "vitest";

test("however many ask, the lake is looked at once in a while, and again after it", async () => {
  const clock = new SimulatedClock(0);
  let looks = 0;
  const status = remembered(async () => ++looks, { forMs: 1_000, clock });
  expect(await Promise.all([status(), status(), status()])).toEqual([1, 1, 1]);
  await clock.advance(999);
  expect(await status()).toBe(1);
  await clock.advance(1);
  expect(await status()).toBe(2);
});

test("a look that failed is not remembered", async () => {
  let looks = 0;
  const status = remembered(
    async () => {
      if (++looks === 1) throw new Error("the lake is away");
      return looks;
    },
    { forMs: 1_000, clock: new SimulatedClock(0) },
  );
  await expect(status()).rejects.toThrow("away");
  expect(await status()).toBe(2);
});
