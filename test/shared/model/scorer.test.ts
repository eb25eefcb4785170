import type { Network } from "@sluice/shared/contract/bundle.ts";
import { createScorer, weightCount } from "@sluice/shared/model/scorer.ts";
import { expect, test } from "vitest";
import { sampleBundle, samplePca } from "./sample-bundle.ts";

const identity: Network = { kind: "autoencoder", layers: [{ units: 2, activation: "linear" }] };
const plain = { inputs: ["a", "b"], normalization: { mean: [1, 2], scale: [2, 4] } };

test("an autoencoder that gives back its input scores 0 and blames nobody more than another", () => {
  const weights = Float32Array.of(1, 0, 0, 1, 0, 0);
  const scorer = createScorer({ manifest: { ...plain, network: identity }, weights });
  const { score, contributions } = scorer.score([7, -3]);
  expect(score).toBe(0);
  expect([...contributions]).toEqual([0.5, 0.5]);
});

test("the kernel is read row-major by input and the bias after it", () => {
  // Output 0 is the normalised b plus 1; output 1 is 0.
  const weights = Float32Array.of(0, 0, 1, 0, 1, 0);
  const scorer = createScorer({ manifest: { ...plain, network: identity }, weights });
  // Normalised: a = 3, b = 5. Outputs 6 and 0: errors 9 and 25.
  const { score, contributions } = scorer.score([7, 22]);
  expect(score).toBe(17);
  expect([...contributions]).toEqual([9 / 34, 25 / 34].map((share) => expect.closeTo(share, 12)));
});

test("T² against its limit and Q against its own: the larger one is the score and names the inputs", () => {
  // One component along the first input, variance 4.
  const weights = Float32Array.of(1, 0, 4);
  const network: Network = { kind: "pca", components: 1, t2Limit: 2, qLimit: 10 };
  const scorer = createScorer({ manifest: { ...plain, network }, weights });
  // Normalised: a = 6, b = 1. T² = 36 / 4 = 9, against 2; Q = 1, against 10.
  const along = scorer.score([13, 6]);
  expect(along.score).toBe(4.5);
  expect([...along.contributions]).toEqual([1, 0]);
  // Normalised: a = 1, b = 10. T² = 1/4, Q = 100.
  const across = scorer.score([3, 42]);
  expect(across.score).toBe(10);
  expect([...across.contributions]).toEqual([0, 1]);
});

test("a missing value is taken as average, and so is one that is not finite", () => {
  const scorer = createScorer(sampleBundle());
  const average = scorer.score([undefined, 1, 2]);
  const expected = [average.score, average.missingCount];
  const notNumber = scorer.score([Number.NaN, 1, 2]);
  expect([notNumber.score, notNumber.missingCount]).toEqual(expected);
  const tooShort = scorer.score([undefined, 1]);
  expect(tooShort.missingCount).toBe(2);
});

test("a row that overflows is as strange as can be, and the overflowing input is to blame", () => {
  for (const network of [undefined, samplePca]) {
    const scorer = createScorer(sampleBundle(network === undefined ? {} : { network }));
    const { score, contributions } = scorer.score([1, 1e200, 1]);
    expect(score).toBe(Number.MAX_VALUE);
    expect(contributions[1]).toBeGreaterThan(0);
    expect(contributions.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
  }
});

test("weights of another number than the network's are refused", () => {
  const { manifest, weights } = sampleBundle();
  expect(() => createScorer({ manifest, weights: weights.subarray(1) })).toThrow(/take 83 weights, got 82/);
  const pca = sampleBundle({ network: samplePca });
  expect(() => createScorer({ manifest: pca.manifest, weights })).toThrow(/take 8 weights, got 83/);
});

test("an autoencoder with another number of outputs than inputs is refused", () => {
  const { manifest } = sampleBundle();
  const network: Network = { kind: "autoencoder", layers: [{ units: 2, activation: "relu" }] };
  const weights = new Float32Array(weightCount(network, 3));
  expect(() => createScorer({ manifest: { ...manifest, network }, weights })).toThrow(/last layer has 2/);
});

test("a scorer keeps its own weights: whoever made them may use the memory again", () => {
  const { manifest, weights } = sampleBundle();
  const scorer = createScorer({ manifest, weights });
  const before = scorer.score([1, 2, 3]).score;
  weights.fill(0);
  expect(scorer.score([1, 2, 3]).score).toBe(before);
});
