import { checkView } from "@sluice/shared/features/check-view.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import { ViewError } from "@sluice/shared/features/view-error.ts";
import { expect, test } from "vitest";
import { viewOf } from "./readings.ts";

test("a view that the library can compute has no issues", () => {
  const view = viewOf([
    { fn: "mean" },
    { fn: "quantile", with: { q: 0.9 } },
    { fn: "ratio", of: ["a", "b"] },
  ]);
  expect(checkView(view)).toEqual([]);
});

test.each([
  [{ fn: "avg" }, "fn", /"avg" is no function; did you mean mean\? there are count, mean/],
  [{ fn: "constructor" }, "fn", /is no function/],
  [{ fn: "mean", of: ["a", "b"] }, "of", /mean takes 1 input, not 2/],
  [{ fn: "ratio", of: "a" }, "of", /ratio takes 2 inputs, not 1/],
  [{ fn: "mean", with: { q: 1 } }, "with.q", /mean has no such setting; it takes none/],
  [{ fn: "quantile" }, "with.q", /is missing; quantile needs it from 0 to 1/],
  [{ fn: "quantile", with: { q: 1.5 } }, "with.q", /is 1.5; quantile needs it from 0 to 1/],
  [{ fn: "quantile", with: { q: 0.5, p: 1 } }, "with.p", /no such setting; it takes q/],
])("%j is refused with the path of the mistake", (feature, path, message) => {
  const view = viewOf([
    { fn: "mean" },
    { ...feature, ...("of" in feature ? { of: [feature.of].flat() } : {}) },
  ]);
  const [issue, ...others] = checkView(view);
  expect(others).toEqual([]);
  expect(issue?.path.join(".")).toBe(`features.1.${path}`);
  expect(issue?.message).toMatch(message);
  expect(() => new WindowEngine(view, "hash", 0)).toThrow(ViewError);
});

test("an input that is only a member of every object is no input", () => {
  expect(() => viewOf([{ fn: "mean", of: "constructor" }])).toThrow(
    /constructor.* is not one of the inputs a, b/,
  );
});

test("all mistakes are reported at once", () => {
  expect(checkView(viewOf([{ fn: "x" }, { fn: "y" }, { fn: "quantile" }]))).toHaveLength(3);
});
