import type { Network } from "@sluice/shared/contract/bundle.ts";
import { createScorer, type ScorerSource, weightCount } from "@sluice/shared/model/scorer.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

type Row = readonly (number | undefined)[];

const activations = {
  linear: (x: number) => x,
  relu: (x: number) => Math.max(0, x),
  tanh: Math.tanh,
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
};

function normalised({ manifest }: ScorerSource, row: Row): number[] {
  const { mean, scale } = manifest.normalization;
  return row.map((value, i) => (value === undefined ? 0 : (value - (mean[i] ?? 0)) / (scale[i] ?? 1)));
}

/** The squared errors of an autoencoder, from the contract's words and without any cleverness. */
function referenceErrors(source: ScorerSource, row: Row): number[] {
  const { network } = source.manifest;
  if (network.kind !== "autoencoder") throw new Error("not an autoencoder");
  const inputs = normalised(source, row);
  let values = inputs;
  let start = 0;
  for (const { units, activation } of network.layers) {
    const [from, width] = [start, values.length];
    values = Array.from({ length: units }, (_, unit) => {
      let sum = source.weights[from + width * units + unit] ?? 0;
      for (let i = 0; i < width; i++)
        sum += (values[i] ?? 0) * (source.weights[from + i * units + unit] ?? 0);
      return activations[activation](sum);
    });
    start += width * units + units;
  }
  return inputs.map((value, i) => (value - (values[i] ?? 0)) ** 2);
}

function referencePca(source: ScorerSource, row: Row): { t2: number; q: number } {
  const { network } = source.manifest;
  if (network.kind !== "pca") throw new Error("not PCA");
  const x = normalised(source, row);
  const n = x.length;
  const component = (k: number): number[] => Array.from(source.weights.subarray(k * n, (k + 1) * n));
  const t = Array.from({ length: network.components }, (_, k) =>
    component(k).reduce((sum, p, j) => sum + p * (x[j] ?? 0), 0),
  );
  const variance = (k: number): number => source.weights[network.components * n + k] ?? 1;
  const back = x.map((_, j) => t.reduce((sum, tk, k) => sum + tk * (component(k)[j] ?? 0), 0));
  return {
    t2: t.reduce((sum, tk, k) => sum + tk ** 2 / variance(k), 0),
    q: x.reduce((sum, value, j) => sum + (value - (back[j] ?? 0)) ** 2, 0),
  };
}

const weight = fc.float({ min: -3, max: 3, noNaN: true });
const value = fc.option(fc.double({ min: -50, max: 50, noNaN: true }), { nil: undefined });

function normalizations(n: number) {
  return fc.record({
    mean: fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: n, maxLength: n }),
    scale: fc.array(fc.double({ min: 0.01, max: 10, noNaN: true }), { minLength: n, maxLength: n }),
  });
}

function sources(
  n: number,
  network: fc.Arbitrary<Network>,
): fc.Arbitrary<{ source: ScorerSource; row: Row }> {
  const inputs = Array.from({ length: n }, (_, i) => `f${i}`);
  return network.chain((network) => {
    const count = weightCount(network, n);
    const variances = network.kind === "pca" ? network.components : 0;
    const exact = (of: fc.Arbitrary<number>, length: number): fc.Arbitrary<number[]> =>
      fc.array(of, { minLength: length, maxLength: length });
    return fc
      .tuple(
        exact(weight, count - variances),
        exact(fc.float({ min: 0.125, max: 8, noNaN: true }), variances),
        normalizations(n),
        fc.array(value, { minLength: n, maxLength: n }),
      )
      .map(([weights, variance, normalization, row]) => ({
        source: {
          manifest: { inputs, normalization, network },
          weights: Float32Array.from([...weights, ...variance]),
        },
        row,
      }));
  });
}

const autoencoders = fc.integer({ min: 1, max: 9 }).chain((n) =>
  sources(
    n,
    fc
      .tuple(
        fc.array(
          fc.record({
            units: fc.integer({ min: 1, max: 11 }),
            activation: fc.constantFrom("linear", "relu", "tanh", "sigmoid"),
          }),
          { maxLength: 3 },
        ),
        fc.constantFrom("linear", "relu", "tanh", "sigmoid"),
      )
      .map(([hidden, activation]) => ({
        kind: "autoencoder",
        layers: [...hidden, { units: n, activation }],
      })),
  ),
);

const pcas = fc.integer({ min: 1, max: 9 }).chain((n) =>
  sources(
    n,
    fc.record({
      kind: fc.constant("pca"),
      components: fc.integer({ min: 1, max: n }),
      t2Limit: fc.double({ min: 0.1, max: 100, noNaN: true }),
      qLimit: fc.double({ min: 0.1, max: 100, noNaN: true }),
    }),
  ),
);

/** How far two numbers are apart, in parts of the expected one (or of 0.001 where that is larger). */
const apart = (actual: number, expected: number): number =>
  Math.abs(actual - expected) / Math.max(Math.abs(expected), 1e-3);

test("an autoencoder scores as the plain double-precision reference does, at any width", () => {
  fc.assert(
    fc.property(autoencoders, ({ source, row }) => {
      const errors = referenceErrors(source, row);
      const sum = errors.reduce((a, b) => a + b, 0);
      const { score, contributions, missingCount } = createScorer(source).score(row);
      expect(apart(score, sum / errors.length)).toBeLessThan(1e-9);
      const shares = sum > 1e-3 ? [...contributions] : [];
      for (const [i, share] of shares.entries())
        expect(apart(share, (errors[i] ?? 0) / sum)).toBeLessThan(1e-9);
      expect(missingCount).toBe(row.filter((value) => value === undefined).length);
    }),
    { numRuns: 300 },
  );
});

test("PCA scores as the plain double-precision reference does", () => {
  fc.assert(
    fc.property(pcas, ({ source, row }) => {
      const { network } = source.manifest;
      if (network.kind !== "pca") throw new Error("not PCA");
      const { t2, q } = referencePca(source, row);
      const expected = Math.max(t2 / network.t2Limit, q / network.qLimit);
      expect(apart(createScorer(source).score(row).score, expected)).toBeLessThan(1e-9);
    }),
    { numRuns: 300 },
  );
});

test("contributions are never negative and add up to 1, whatever the row", () => {
  const wild = fc.oneof(value, fc.constantFrom(1e308, -1e308, 5e-324, Number.NaN, Infinity));
  fc.assert(
    fc.property(fc.oneof(autoencoders, pcas), fc.array(wild, { minLength: 9, maxLength: 9 }), (made, row) => {
      const { score, contributions } = createScorer(made.source).score(row);
      expect(score).toBeGreaterThanOrEqual(0);
      expect(Number.isFinite(score)).toBe(true);
      expect(Math.min(...contributions)).toBeGreaterThanOrEqual(0);
      expect(contributions.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
    }),
    { numRuns: 300 },
  );
});

test("scoring leaves no trace: a row scores the same bits before and after any other", () => {
  fc.assert(
    fc.property(
      fc.oneof(autoencoders, pcas),
      fc.array(value, { minLength: 9, maxLength: 9 }),
      (made, other) => {
        const scorer = createScorer(made.source);
        const first = scorer.score(made.row);
        const before = [first.score, ...first.contributions];
        scorer.score(other);
        const again = scorer.score(made.row);
        expect([again.score, ...again.contributions]).toEqual(before);
      },
    ),
  );
});
