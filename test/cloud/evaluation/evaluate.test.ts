import { expect, test } from "vitest";
import { evaluate, type Champion } from "../../../cloud/evaluation/evaluate.ts";
import type { Model } from "../../../cloud/evaluation/measure.ts";
import { renderVerdict } from "../../../cloud/evaluation/render.ts";
import { settings, squareModel, testRows } from "./test-set.ts";

const none: Champion = { state: "none" };
const live = (model: Model, version = 3): Champion => ({
  state: "ready",
  bundle: { manifest: { ...model.manifest, version }, weights: model.weights },
});

/** 400 healthy windows within ±1, every `strange`-th at 2; then 200 faulty ones at `fault`. */
function rows({ fault = 10, strange = 1_000, faulty = 200 } = {}) {
  const healthy = Array.from({ length: 400 }, (_, i) => (i % strange === strange - 1 ? 2 : Math.sin(i)));
  const sick = Array.from({ length: faulty }, (_, i) => fault + Math.sin(i));
  return testRows([...healthy, ...sick], [...healthy.map(() => 0 as const), ...sick.map(() => 1 as const)]);
}

test("the first model is promoted when it is quiet on later healthy windows, and says that no fault was there to find", () => {
  const candidate = squareModel("pca", 3);
  const verdict = evaluate({ candidates: [candidate], champion: none, test: rows({ faulty: 0 }), settings });
  expect(verdict).toMatchObject({
    outcome: "promote",
    promoted: candidate,
    reasons: [
      "Alarms on 0.0 % of 400 later healthy windows; at most 5.0 % are allowed.",
      "There is no labelled fault to find yet.",
    ],
    test: { healthyRows: 400, faultyRows: 0, devices: 1, fromUs: 0, toUs: 400_000_000 },
    champion: { state: "none", numbers: undefined },
  });
});

test("a first model that alarms too often is rejected with both numbers", () => {
  const verdict = evaluate({
    candidates: [squareModel("pca", 3)],
    champion: none,
    test: rows({ strange: 10, faulty: 0 }),
    settings,
  });
  expect(verdict.outcome).toBe("reject");
  expect(verdict.promoted).toBeUndefined();
  expect(verdict.reasons).toEqual([
    "pca: Alarms on 10.0 % of 400 later healthy windows; at most 5.0 % are allowed.",
  ]);
});

test("a first model that finds none of the labelled faults is rejected", () => {
  const verdict = evaluate({ candidates: [squareModel("pca", 1e6)], champion: none, test: rows(), settings });
  expect(verdict.outcome).toBe("reject");
  expect(verdict.reasons[1]).toMatch(
    /^pca: Finds 0 of 1 labelled faults and misses 100.0 % of their 200 windows/,
  );
});

test("with too few healthy windows nobody can tell", () => {
  for (const count of [0, 10]) {
    const verdict = evaluate({
      candidates: [squareModel("pca", 3)],
      champion: none,
      test: testRows(Array<number>(count).fill(0)),
      settings,
    });
    expect(verdict.outcome).toBe("cannot_tell");
    expect(verdict.reasons).toEqual([`pca: ${count} later healthy windows to judge on, 50 are needed.`]);
  }
});

test("of two equal models the simple one is promoted, in whatever order they come", () => {
  const pair = [squareModel("autoencoder", 3), squareModel("pca", 3)];
  for (const candidates of [pair, pair.toReversed()]) {
    const verdict = evaluate({ candidates, champion: none, test: rows(), settings });
    expect(verdict.promoted?.manifest.network.kind).toBe("pca");
    const other = verdict.judgements.find(
      ({ candidate }) => candidate.manifest.network.kind === "autoencoder",
    );
    expect(other).toMatchObject({ outcome: "reject" });
    expect(other?.reasons.at(-1)).toMatch(/not clearly better than the simpler pca/);
  }
});

test("the autoencoder is promoted where it is clearly better: it finds the fault, or it alarms less beyond chance", () => {
  const finds = evaluate({
    candidates: [squareModel("autoencoder", 3), squareModel("pca", 200)],
    champion: none,
    test: rows(),
    settings: { ...settings, missedAlarmRateMax: 1 },
  });
  expect(finds.promoted?.manifest.network.kind).toBe("autoencoder");
  const quieter = evaluate({
    candidates: [squareModel("autoencoder", 5), squareModel("pca", 3)],
    champion: none,
    test: rows({ strange: 25, faulty: 0 }),
    settings,
  });
  expect(quieter.promoted?.manifest.network.kind).toBe("autoencoder");
  expect(quieter.judgements[1]?.reasons.at(-1)).toBe("It would do, but autoencoder is clearly better.");
});

test("a candidate that misses less than the champion beyond chance is promoted", () => {
  // Faulty windows score between 4 and 16: the champion sees the stronger half.
  const verdict = evaluate({
    candidates: [squareModel("pca", 3.9)],
    champion: live(squareModel("pca", 9)),
    test: rows({ fault: 3 }),
    settings,
  });
  expect(verdict.outcome).toBe("promote");
  expect(verdict.reasons.at(-1)).toMatch(
    /^Better in missed alarms by 4\d\.\d % \(interval of the difference: -\d+\.\d % to -\d+\.\d %\)\.$/,
  );
  expect(verdict.champion).toMatchObject({ state: "ready", name: "pump_health version 3" });
});

test("a candidate that alarms more than the champion beyond the margin is rejected, also when it misses less", () => {
  const verdict = evaluate({
    candidates: [squareModel("pca", 3)],
    champion: live(squareModel("pca", 9)),
    test: rows({ fault: 3, strange: 25 }),
    settings,
  });
  expect(verdict.outcome).toBe("reject");
  expect(verdict.reasons.at(-1)).toBe("pca: That is 4.0 % more; 1.0 % are allowed.");
});

test("a candidate that misses more of the labelled faults than the champion is rejected, also when it alarms less", () => {
  const verdict = evaluate({
    candidates: [squareModel("pca", 9)],
    champion: live(squareModel("pca", 3.9)),
    test: rows({ fault: 3, strange: 25 }),
    settings,
  });
  expect(verdict.outcome).toBe("reject");
  expect(verdict.reasons.at(-1)).toBe("pca: That is worse on labelled faults.");
});

test("a candidate as good as the champion is rejected: nothing is gained by a change", () => {
  const verdict = evaluate({
    candidates: [squareModel("pca", 3)],
    champion: live(squareModel("pca", 3)),
    test: rows(),
    settings,
  });
  expect(verdict.outcome).toBe("reject");
  expect(verdict.reasons.at(-1)).toBe("pca: No better than the champion in anything.");
});

test("without a labelled fault nobody can tell whether a candidate is as good as the champion", () => {
  const verdict = evaluate({
    candidates: [squareModel("pca", 5)],
    champion: live(squareModel("pca", 3)),
    test: rows({ strange: 25, faulty: 0 }),
    settings,
  });
  expect(verdict.outcome).toBe("cannot_tell");
  expect(verdict.reasons.at(-1)).toMatch(/no labelled fault/);
});

test("a gain that a few windows alone show may be chance: nobody can tell", () => {
  // One healthy window in 400 is above the champion's threshold and below the candidate's.
  const verdict = evaluate({
    candidates: [squareModel("pca", 5)],
    champion: live(squareModel("pca", 3)),
    test: rows({ strange: 400 }),
    settings,
  });
  expect(verdict.outcome).toBe("cannot_tell");
  expect(verdict.reasons.at(-1)).toMatch(/Better in false alarms by 0.3 %.*it may be chance/);
});

test("a fault too short for independent blocks gives no interval, and a gain on it cannot be told from chance", () => {
  const verdict = evaluate({
    candidates: [squareModel("pca", 3.9)],
    champion: live(squareModel("pca", 9)),
    test: rows({ fault: 3, faulty: 20 }),
    settings,
  });
  expect(verdict.outcome).toBe("cannot_tell");
  expect(verdict.judgements[0]?.numbers?.intervals.missedAlarmRate).toBeUndefined();
  expect(verdict.reasons.at(-1)).toMatch(/interval of the difference: unknown/);
});

test("a champion that does not load, does not score or reads another view leaves the decision to a person", () => {
  const whole = squareModel("pca", 3);
  const broken = live({ ...whole, weights: Float32Array.of(NaN, 1) });
  const other = live({ ...whole, manifest: { ...whole.manifest, viewHash: "d".repeat(64) } });
  const champions: readonly [Champion, RegExp][] = [
    [{ state: "failed", reason: "wrong signature" }, /did not load: wrong signature/],
    [broken, /could not be scored: weight 0 is NaN/],
    [other, /reads another feature view/],
  ];
  for (const [champion, reason] of champions) {
    const verdict = evaluate({ candidates: [squareModel("pca", 3)], champion, test: rows(), settings });
    expect(verdict.outcome).toBe("cannot_tell");
    expect(verdict.reasons.join(" ")).toMatch(reason);
    expect(verdict.champion.numbers).toBeUndefined();
  }
});

test("a candidate that a gateway would refuse is rejected, and the other one is still judged", () => {
  const whole = squareModel("autoencoder", 3);
  const wrong = { ...whole, manifest: { ...whole.manifest, golden: { inputs: [[2]], scores: [5] } } };
  const verdict = evaluate({
    candidates: [wrong, squareModel("pca", 3)],
    champion: none,
    test: rows(),
    settings,
  });
  expect(verdict.promoted?.manifest.network.kind).toBe("pca");
  expect(verdict.judgements[0]).toMatchObject({
    outcome: "reject",
    numbers: undefined,
    reasons: [expect.stringMatching(/^A gateway would refuse it: golden vector 0/)],
  });
});

test("a champion that was trained over the time of the test is said to be favoured", () => {
  const model = squareModel("pca", 3);
  const seen = {
    ...model,
    manifest: { ...model.manifest, training: { ...model.manifest.training, toUs: 100_000_000 } },
  };
  const verdict = evaluate({ candidates: [model], champion: live(seen), test: rows(), settings });
  expect(verdict.reasons.at(-1)).toMatch(/trained over the time of 100 of these windows/);
});

test("no candidate, and rows that do not fit the view, are errors", () => {
  expect(() => evaluate({ candidates: [], champion: none, test: rows(), settings })).toThrow(/no candidate/);
  const wide = { ...rows(), values: new Float64Array(7) };
  expect(() =>
    evaluate({ candidates: [squareModel("pca", 3)], champion: none, test: wide, settings }),
  ).toThrow(/600 test rows have 7 values/);
});

test("a rendered verdict shows the numbers of all models beside each other, and the reasons", () => {
  const verdict = evaluate({
    candidates: [squareModel("autoencoder", 3.9), squareModel("pca", 9)],
    champion: live(squareModel("pca", 9)),
    test: rows({ fault: 3 }),
    settings,
  });
  const text = renderVerdict(verdict);
  expect(text).toContain("Tested on 400 healthy and 200 faulty windows of 1 device.");
  expect(text).toMatch(/^ +autoencoder +pca +champion \(pump_health version 3\)$/m);
  expect(text).toMatch(/^false alarms +0\.0 % +0\.0 % +0\.0 %$/m);
  expect(text).toMatch(/^faults found +1 of 1 +1 of 1 +1 of 1$/m);
  expect(text).toMatch(/^verdict +promote +reject$/m);
  expect(text).toMatch(/^promote: autoencoder\n- Alarms on/m);
  expect(text).not.toMatch(/undefined|NaN/);
});
