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

test("a topic is wanted by those of whom a filter is left that matches it, and by nobody else", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(filter, fc.boolean(), fc.constantFrom(undefined, "one", "two")), { maxLength: 30 }),
      fc.array(topic, { minLength: 1, maxLength: 10 }),
      (changes, topics) => {
        const index = new SubscriptionIndex();
        const left: { readonly filter: string; readonly clientId: string | undefined }[] = [];
        for (const [filter, isRemoved, clientId] of changes) {
          const at = left.findIndex((one) => one.filter === filter && one.clientId === clientId);
          if (isRemoved && at >= 0) {
            left.splice(at, 1);
            index.remove(filter, clientId);
          } else {
            left.push({ filter, clientId });
            index.add(filter, clientId);
          }
          for (const topic of topics) {
            const matching = left.filter((one) => matchesTopic(levelsOf(one.filter), levelsOf(topic)));
            const { isWanted, sessions } = index.find(topic);
            expect(isWanted).toBe(matching.length > 0);
            expect([...sessions].sort()).toEqual(
              [...new Set(matching.flatMap(({ clientId }) => clientId ?? []))].sort(),
            );
          }
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
  expect(index.find("a/b").isWanted).toBe(false);
  index.add("a/b");
  index.remove("a");
  index.remove("a/b/c");
  expect(index.find("a/b").isWanted).toBe(true);
});
