import type { Series } from "@sluice/shared/contract/reading.ts";
import { NONE, SeriesChain } from "@sluice/shared/features/series-chain.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const seriesOf = (device: number): Series => ({
  device: `d-${device}`,
  deviceType: "pump",
  metric: "vibration",
  unit: undefined,
});

test("a guess is always the lane of that very series, in whatever order they come", () => {
  const some = Array.from({ length: 200 }, (_, device) => seriesOf(device));
  fc.assert(
    fc.property(fc.array(fc.nat(some.length - 1), { maxLength: 500 }), (lanes) => {
      const chain = new SeriesChain();
      for (const lane of [...lanes, ...lanes]) {
        const series = some[lane] ?? seriesOf(lane);
        const guess = chain.guess(series);
        expect([lane, NONE]).toContain(guess);
        if (guess === NONE) chain.learn(lane, series);
      }
    }),
  );
});

test("series that come in turns are guessed from the second turn on", () => {
  const turn = Array.from({ length: 100 }, (_, device) => seriesOf(device));
  const chain = new SeriesChain();
  for (const [lane, series] of turn.entries()) chain.learn(lane, series);
  // Only now it is known what follows the last one.
  chain.learn(0, turn[0] ?? seriesOf(0));
  const guesses = turn.slice(1).map((series) => chain.guess(series));
  expect(guesses).toEqual(turn.slice(1).map((_, i) => i + 1));
});

test("another object for the same series is not guessed", () => {
  const chain = new SeriesChain();
  const [first, second] = [seriesOf(0), seriesOf(1)];
  chain.learn(0, first);
  chain.learn(1, second);
  chain.learn(0, first);
  expect(chain.guess(seriesOf(1))).toBe(NONE);
  expect(chain.guess(second)).toBe(1);
});
