import { expect, test } from "vitest";
import { RateMeter } from "../../../edge/status/rate-meter.ts";

test("a steady counter has its rate from the second sample on", () => {
  const meter = new RateMeter();
  expect(meter.sample(100, 5_000_000)).toBe(0);
  for (let s = 1; s <= 200; s++) expect(meter.sample(100 + s * 7, 5_000_000 + s * 1_000_000)).toBe(7);
});

test("what was more than a minute ago is forgotten", () => {
  const meter = new RateMeter();
  let total = 0;
  for (let s = 0; s <= 30; s++) meter.sample((total += 1_000), s * 1_000_000);
  let rate = 0;
  for (let s = 31; s <= 90; s++) rate = meter.sample(total, s * 1_000_000);
  expect(rate).toBe(0);
});

test("two samples of the same moment give no rate instead of an infinite one", () => {
  const meter = new RateMeter();
  meter.sample(0, 1_000);
  expect(meter.sample(50, 1_000)).toBe(0);
});

test("a counter that begins anew has no negative rate, and its own one from then on", () => {
  const meter = new RateMeter();
  for (let s = 0; s <= 10; s++) meter.sample(s * 1_000, s * 1_000_000);
  expect(meter.sample(5, 11_000_000)).toBe(0);
  expect(meter.sample(12, 12_000_000)).toBe(7);
});
