import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { deviceOfFile, parseReplayMap } from "../../../simulators/replay/replay-map.ts";

const MAPS = join(import.meta.dirname, "../../../simulators/replay/maps");

const GOOD = `
time: { column: t, format: unix_ms }
device: { constant: d }
topic: a/{device}
metrics: { x: y }
`;

const mistakesOf = (yaml: string): string => {
  try {
    parseReplayMap(yaml, "map.yaml");
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
  return "none";
};

test("a small map has sensible defaults", () => {
  expect(parseReplayMap(GOOD, "map.yaml")).toMatchObject({
    delimiter: ",",
    header: true,
    decimal: ".",
    missing: new Set([""]),
    timeField: "ts",
    timeUnit: "ms",
    labels: [],
  });
});

test("every map that comes with the project can be read", () => {
  const maps = readdirSync(MAPS);
  expect(maps).toContain("skab.yaml");
  for (const name of maps) parseReplayMap(readFileSync(join(MAPS, name), "utf8"), name);
});

test("all mistakes of a map are named at once, each with its path, its value and what is allowed", () => {
  const mistakes = mistakesOf(`
delimiter: ";;"
decimal: "'"
time: { column: t, format: whenever, zone: Mars }
device: { file: "{folder}-{nam}" }
topic: a/+/b
metrics: { x: 1 }
timeUnit: s
speed: 3
`);
  for (const part of [
    'delimiter: ";;": must be one character',
    'decimal: "\'": must be one of ., ,',
    'time.format: "whenever": must be iso, unix_s',
    "(Mars) must be UTC or an offset",
    'device.file: "{folder}-{nam}": {nam} is neither {name} nor {folder}',
    'topic: "a/+/b": must be a topic with {device} in it',
    "metrics.x: 1: must be a text that is not empty",
    'timeUnit: "s": must be one of ms, us',
    "speed: no such field",
  ])
    expect(mistakes).toContain(part);
});

test("a map that contradicts itself is refused", () => {
  expect(mistakesOf(`${GOOD}labels: [x]`)).toContain('"x" is published as a metric too');
  expect(mistakesOf(`${GOOD}header: false`)).toContain("must name the columns");
  expect(mistakesOf(`${GOOD}timeField: y`)).toContain("is also the name of a metric");
  expect(mistakesOf(GOOD.replace("{ x: y }", "{ x: y, z: y }"))).toContain("has one metric twice");
  expect(mistakesOf(GOOD.replace("{ x: y }", "{}"))).toContain("must have at least one");
  expect(mistakesOf(GOOD.replace("constant: d", "constant: d, column: e"))).toContain("give one of");
  expect(mistakesOf("[1, 2]")).toContain("must be an object");
  expect(mistakesOf("a: [")).toBe("map.yaml is not YAML");
});

test("a device can be named after its file and the folder around it", () => {
  expect(deviceOfFile("{folder}-{name}", "/data/valve1/0.csv")).toBe("valve1-0");
  expect(deviceOfFile("{name}", "gt_2011.csv")).toBe("gt_2011");
});
