import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SubscriptionIndex } from "../../../edge/ingest/subscription-index.ts";
import { levelsOf, matchesTopic } from "../../../edge/ingest/topic-pattern.ts";

const level = fc.constantFrom("a", "b", "", "+");
const filter = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, isOpen]) => [...levels, ...(isOpen ? ["#"] : [])].join("/"));
const topic = fc
  .array(fc.constantFrom("a", "b", ""), { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join("/"));

test("a topic is wanted exactly when a filter that is left matches it", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(filter, fc.boolean()), { maxLength: 30 }),
      fc.array(topic, { minLength: 1, maxLength: 10 }),
      (changes, topics) => {
        const index = new SubscriptionIndex();
        const left: string[] = [];
        for (const [filter, isRemoved] of changes) {
          const at = left.indexOf(filter);
          if (isRemoved && at >= 0) {
            left.splice(at, 1);
            index.remove(filter);
          } else {
            left.push(filter);
            index.add(filter);
          }
          for (const topic of topics)
            expect(index.wants(topic), `${topic} in ${left.join(" ")}`).toBe(
              left.some((filter) => matchesTopic(levelsOf(filter), levelsOf(topic))),
            );
        }
      },
    ),
  );
});

test("filters that were never added, and absurdly deep ones, change nothing", () => {
  const index = new SubscriptionIndex();
  index.remove("a/b");
  index.add("+/".repeat(50_000));
  index.remove("+/".repeat(50_000));
  expect(index.wants("a/b")).toBe(false);
  index.add("a/b");
  index.remove("a");
  index.remove("a/b/c");
  expect(index.wants("a/b")).toBe(true);
});
