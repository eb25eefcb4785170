import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type AccessRule, ClientRights, fillPattern, isPlainLevel } from "../../../edge/ingest/access.ts";
import { levelsOf, matchesTopic } from "../../../edge/ingest/topic-pattern.ts";

const LIMITS = { topicBytesMax: 1_024, topicLevelsMax: 8, subscriptionsMax: 3 };
const nobody = { clientId: "pump-1", username: undefined };

const level = fc.constantFrom("a", "b", "c", "+", "{clientid}", "{username}");
const pattern = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([levels, isOpen]) => [...levels, ...(isOpen ? ["#"] : [])].join("/"));
const action = fc.constantFrom("publish" as const, "subscribe" as const);
const rule: fc.Arbitrary<AccessRule> = fc
  .record({
    actions: fc.uniqueArray(action, { minLength: 1 }),
    isAllowed: fc.boolean(),
    users: fc.option(fc.uniqueArray(fc.constantFrom("ada", "bob"), { minLength: 1 }), { nil: undefined }),
    topics: fc.array(pattern, { minLength: 1, maxLength: 3 }),
  })
  .map(({ actions, isAllowed, ...rest }) => ({
    ...rest,
    ...(isAllowed ? { allow: actions } : { deny: actions }),
  }));
const rules = fc.array(rule, { minLength: 1, maxLength: 5 });
const identity = fc.record({
  clientId: fc.constantFrom("a", "b", "pump-1", "+", "#", "a/b", ""),
  username: fc.constantFrom(undefined, "ada", "bob"),
});
const topic = fc
  .array(fc.constantFrom("a", "b", "c", "ada", "pump-1", "x"), { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join("/"));

test("nothing is allowed that no rule's pattern matches, and nothing that a rule denies", () => {
  let allowedCount = 0;
  fc.assert(
    fc.property(rules, identity, topic, (made, who, wanted) => {
      const matches = (effect: "allow" | "deny"): boolean =>
        made.some(
          (one) =>
            one[effect]?.includes("publish") === true &&
            (one.users === undefined || one.users.some((user) => user === who.username)) &&
            one.topics.some((text) => {
              const filled = fillPattern(text, who);
              return filled !== undefined && matchesTopic(levelsOf(filled), levelsOf(wanted));
            }),
        );
      const rights = new ClientRights(made, who, LIMITS);
      const expected = matches("allow") && !matches("deny") ? undefined : "topic.denied";
      if (expected === undefined) allowedCount++;
      expect(rights.publishRefusal(wanted)).toBe(expected);
      expect(rights.publishRefusal(wanted)).toBe(expected); // Also from memory.
    }),
    { numRuns: 2_000 },
  );
  expect(allowedCount).toBeGreaterThan(50);
});

test("a client's name stands for itself alone: no name makes a pattern match more", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 6 }), (clientId) => {
      const filled = fillPattern("plant/{clientid}/x", { clientId, username: undefined });
      expect(filled === undefined).toBe(!isPlainLevel(clientId));
      expect(levelsOf(filled ?? "plant/x/x")).toEqual(["plant", filled === undefined ? "x" : clientId, "x"]);
    }),
  );
});

test.each(["+", "#", "a/b", "a+", "#a", "", "\u0000", "a\nb"])(
  "the client id %j stands in no pattern",
  (clientId) => {
    const rights = new ClientRights(
      [{ allow: ["publish", "subscribe"], topics: ["{clientid}/#"] }],
      {
        clientId,
        username: undefined,
      },
      LIMITS,
    );
    expect(rights.publishRefusal("a/b")).toBe("topic.denied");
    expect(rights.subscribeRefusal("a/#")).toBe("subscribe.denied");
  },
);

test("a placeholder in a name is not filled in again", () => {
  const who = { clientId: "{username}", username: "ada" };
  expect(fillPattern("{clientid}/{username}", who)).toBe("{username}/ada");
});

test("a name that nobody proved fills no pattern", () => {
  const rights = new ClientRights([{ allow: ["publish"], topics: ["{username}/#"] }], nobody, LIMITS);
  expect(rights.publishRefusal("ada/x")).toBe("topic.denied");
});

test("a subscription needs one rule that covers all of it, and none that denies a part", () => {
  const rights = new ClientRights(
    [
      { allow: ["subscribe"], topics: ["plant/#", "one/+"] },
      { deny: ["subscribe"], topics: ["plant/+/secret"] },
    ],
    nobody,
    LIMITS,
  );
  expect(rights.subscribeRefusal("plant/pump/speed")).toBeUndefined();
  expect(rights.subscribeRefusal("one/+")).toBeUndefined();
  for (const filter of ["#", "+/pump/speed", "plant/pump/secret", "plant/#", "plant/+/+", "one/#"])
    expect([filter, rights.subscribeRefusal(filter)]).toEqual([filter, "subscribe.denied"]);
});

test("without rules everything goes but the gateway's own topics", () => {
  const rights = new ClientRights(undefined, nobody, LIMITS);
  expect(rights.publishRefusal("plant/x")).toBeUndefined();
  expect(rights.subscribeRefusal("#")).toBeUndefined();
  expect(rights.publishRefusal("sluice/site/alerts/x")).toBe("topic.reserved");
});

test("a rule cannot give away the gateway's own topics", () => {
  const rights = new ClientRights([{ allow: ["publish", "subscribe"], topics: ["#"] }], nobody, LIMITS);
  expect(rights.publishRefusal("sluice/site/alerts/x")).toBe("topic.reserved");
  expect(rights.publishRefusal("$SYS/x")).toBe("topic.reserved");
  expect(rights.subscribeRefusal("$SYS/#")).toBe("subscribe.reserved");
});

test.each([
  ["topic.invalid", ""],
  ["topic.invalid", "a/+"],
  ["topic.invalid", "a#"],
  ["topic.too_long", "a".repeat(1_025)],
  ["topic.too_long", "ä".repeat(513)],
  ["topic.too_deep", "a/a/a/a/a/a/a/a/a"],
])("a publish is refused as %s", (reason, wanted) => {
  expect(new ClientRights(undefined, nobody, LIMITS).publishRefusal(wanted)).toBe(reason);
});

test.each([
  ["subscribe.invalid", "a+/b"],
  ["subscribe.too_long", "a".repeat(1_025)],
  ["subscribe.too_deep", "a/a/a/a/a/a/a/a/#"],
])("a subscription is refused as %s", (reason, wanted) => {
  expect(new ClientRights(undefined, nobody, LIMITS).subscribeRefusal(wanted)).toBe(reason);
});

test("subscriptions are counted as they are held, not as they are asked for", () => {
  const rights = new ClientRights(undefined, nobody, LIMITS);
  for (const filter of ["a", "b", "c", "a"]) rights.subscribed(filter);
  expect(rights.subscribeRefusal("a")).toBeUndefined();
  expect(rights.subscribeRefusal("d")).toBe("subscribe.limit");
  rights.unsubscribed("b");
  expect(rights.subscribeRefusal("d")).toBeUndefined();
});
