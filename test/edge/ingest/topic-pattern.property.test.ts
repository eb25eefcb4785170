import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  coversFilter,
  isTopicFilter,
  levelsOf,
  matchesTopic,
  overlapsFilter,
} from "../../../edge/ingest/topic-pattern.ts";

// Few levels and few names, so that patterns and topics meet often.
const name = fc.constantFrom("", "a", "b", "$c");
const topic = fc.array(name, { minLength: 1, maxLength: 4 });
const filter = fc
  .tuple(fc.array(fc.oneof(name, fc.constant("+")), { minLength: 0, maxLength: 4 }), fc.boolean())
  .map(([levels, isOpen]) => (isOpen || levels.length === 0 ? [...levels, "#"] : levels));

/** Every topic of up to five levels of these names: what a filter means, told one by one. */
const TOPICS = ((): readonly (readonly string[])[] => {
  let longest: string[][] = [[]];
  const all: string[][] = [];
  for (let depth = 0; depth < 5; depth++) {
    longest = longest.flatMap((levels) => ["", "a", "b", "z"].map((level) => [...levels, level]));
    all.push(...longest);
  }
  return all;
})();

/** MQTT 3.1.1 §4.7 as a regular expression. */
function means(levels: readonly string[]): RegExp {
  const text = levels.join("/");
  const escaped = text.replaceAll(/[$]/g, String.raw`\$&`).replaceAll("+", "[^/]*");
  if (escaped === "#") return /^.*$/;
  return new RegExp(`^${escaped.replace(/\/#$/, "(/.*)?")}$`);
}

test("a pattern matches what the standard says that it matches", () => {
  fc.assert(
    fc.property(filter, topic, (pattern, levels) => {
      expect(matchesTopic(pattern, levels)).toBe(means(pattern).test(levels.join("/")));
    }),
    { numRuns: 2_000 },
  );
});

test("a pattern that covers a filter matches every topic that the filter matches", () => {
  let covered = 0;
  fc.assert(
    fc.property(filter, filter, (pattern, wanted) => {
      if (!coversFilter(pattern, wanted)) return;
      covered++;
      const missed = TOPICS.filter(
        (levels) => matchesTopic(wanted, levels) && !matchesTopic(pattern, levels),
      );
      expect(missed).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
  expect(covered).toBeGreaterThan(50);
});

test("two filters overlap exactly when one topic matches both", () => {
  fc.assert(
    fc.property(filter, filter, (one, other) => {
      const plain = (levels: readonly string[]): readonly string[] =>
        levels.map((level) => (level === "$c" ? "z" : level));
      const [a, b] = [plain(one), plain(other)];
      const shared = TOPICS.some((levels) => matchesTopic(a, levels) && matchesTopic(b, levels));
      expect(overlapsFilter(a, b)).toBe(shared);
    }),
    { numRuns: 1_000 },
  );
});

test.each(["#", "+", "a/#", "+/+/#", "a//b", "/", "a b/{clientid}"])("%s is a topic filter", (text) => {
  expect(isTopicFilter(text)).toBe(true);
});

test.each(["", "a#", "#/a", "a+/b", "a/+b", "a/#/b", "a\0b"])("%j is no topic filter", (text) => {
  expect(isTopicFilter(text)).toBe(false);
});

test("levels are what stands between slashes", () => {
  expect(levelsOf("/a//b")).toEqual(["", "a", "", "b"]);
});
