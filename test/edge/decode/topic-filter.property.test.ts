import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  coversFilter,
  matchTopic,
  parseTopicFilter,
  type TopicFilter,
} from "../../../edge/decode/topic-filter.ts";

function filterOf(text: string): TopicFilter {
  const filter = parseTopicFilter(text);
  if (typeof filter === "string") throw new Error(filter);
  return filter;
}

test.each([
  ["plant/{device}/telemetry", "plant/p 1/telemetry", { device: "p 1" }],
  ["plant/{device}/{metric}", "plant/p1/temp", { device: "p1", metric: "temp" }],
  ["+/{device}/#", "north/p1/a/b/c", { device: "p1" }],
  ["plant/{device}/#", "plant/p1", { device: "p1" }],
  ["plant/{device}/telemetry", "plant/p1/telemetry/x", undefined],
  ["plant/{device}/telemetry", "plant/p1", undefined],
  ["plant/{device}", "Plant/p1", undefined],
  ["plant/{device}", "plant/", { device: "" }],
  ["{device}/x", "$SYS/x", undefined],
  ["#", "$SYS/uptime", undefined],
  ["$SYS/{device}", "$SYS/uptime", { device: "uptime" }],
])("%s on %s gives %j", (filter, topic, captured) => {
  expect(matchTopic(filterOf(filter), topic)).toEqual(captured);
});

test.each([
  ["plant/#/x", '"#" can only be the last level'],
  ["plant/p+/x", '"p+" mixes a wildcard with text; a wildcard or capture is a whole level'],
  ["plant/x{device}", '"x{device}" mixes a wildcard with text; a wildcard or capture is a whole level'],
  ["{device}/{device}", '"{device}" is there twice'],
  ["plant/{site}", /"\{site\}" is not known: \{device\} and \{metric\} are/],
  ["plant/{}", /"\{\}" is not known/],
])("the filter %s is refused: %s", (filter, problem) => {
  expect(parseTopicFilter(filter)).toMatch(problem);
});

const level = fc.constantFrom("a", "b", "", "$x");
const topics = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join("/"));
const filters = fc
  .tuple(fc.array(fc.oneof(level, fc.constant("+")), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, rest]) => filterOf([...levels, ...(rest ? ["#"] : [])].join("/")));

/** MQTT 5 §4.7 by regular expressions. */
function matches(filter: string, topic: string): boolean {
  if (/^[+#]/.test(filter) && topic.startsWith("$")) return false;
  const pattern = filter
    .split("/")
    .map((part) => (part === "+" ? "[^/]*" : part.replaceAll("$", "\\$")))
    .join("/")
    .replace(/\/#$/, "(/.*)?")
    .replace(/^#$/, ".*");
  return new RegExp(`^${pattern}$`).test(topic);
}

test("a filter matches just the topics that MQTT says it does", () => {
  fc.assert(
    fc.property(filters, topics, (filter, topic) => {
      expect(matchTopic(filter, topic) !== undefined).toBe(matches(filter.text, topic));
    }),
    { numRuns: 2_000 },
  );
});

test("a filter that covers another matches each of its topics", () => {
  fc.assert(
    fc.property(filters, filters, topics, (outer, inner, topic) => {
      fc.pre(coversFilter(outer, inner) && matchTopic(inner, topic) !== undefined);
      expect(matchTopic(outer, topic)).toBeDefined();
    }),
    { numRuns: 500 },
  );
});

test.each([
  ["plant/#", "plant/{device}/x", true],
  ["plant/{device}/+", "plant/+/x", true],
  ["plant/{device}/x", "plant/{device}/{metric}", false],
  ["plant/+", "plant/#", false],
  ["#", "$SYS/{device}", false],
  ["+/x", "a/x", true],
])("%s covers %s: %s", (outer, inner, covers) => {
  expect(coversFilter(filterOf(outer), filterOf(inner))).toBe(covers);
});
