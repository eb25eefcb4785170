import { expect, test } from "vitest";
import { decodePayload } from "./calls.ts";

test.each([
  ["21.5", 21.5],
  [" -3e2\n", -300],
  ["+.5", 0.5],
  ["7.", 7],
  ["1e999", Infinity],
  ["NaN", "NaN"],
  ["-inf", "-inf"],
])("the payload %j is the number %s of the topic's metric", (payload, value) => {
  expect(decodePayload({ format: "number" }, payload, "temp")).toEqual([
    ["record", undefined],
    ["value", "temp", value],
  ]);
});

test.each(["on", "", "  ", "1,5", "0x10", "1 2", "--1", "1_000", "true", "null"])(
  "the payload %j is no decimal number",
  (payload) => {
    expect(() => decodePayload({ format: "number" }, payload, "temp")).toThrow("is not a decimal number");
  },
);

test("a long text that is almost a number is refused as fast as a number is read", () => {
  const startedMs = performance.now();
  for (const [before, after] of [
    ["", "x"],
    ["", "."],
    ["0.", "x"],
    ["1e", "x"],
  ])
    expect(() => decodePayload({ format: "number" }, `${before}${"1".repeat(65_000)}${after}.`)).toThrow(
      "is not a decimal number",
    );
  expect(performance.now() - startedMs).toBeLessThan(500); // Digit by digit and back again it took seconds.
});

const CSV = {
  format: "csv",
  columns: ["ts", "temp", "note", "rpm"],
  time: { column: "ts", unit: "s" },
  ignore: ["note"],
};

test("a line of fields is a record; an empty field is no value", () => {
  expect(decodePayload(CSV, "1.5,20.25,hot,1480\r\n2,,cold, 1490 \n")).toEqual([
    ["record", 1_500_000],
    ["value", "temp", 20.25],
    ["value", "rpm", 1480],
    ["record", 2_000_000],
    ["value", "rpm", 1490],
  ]);
});

test("without columns the first line names them", () => {
  expect(decodePayload({ format: "csv", delimiter: ";" }, "a; b\n1;2\n3;x")).toEqual([
    ["record", undefined],
    ["value", "a", 1],
    ["value", "b", 2],
    ["record", undefined],
    ["value", "a", 3],
    ["value", "b", "x"],
  ]);
});

test("quoted fields may hold delimiters, quotes and line ends", () => {
  const settings = { format: "csv", columns: ["a", "b"] };
  expect(decodePayload(settings, '"1","x ""y"", z\nw"\r\n2,3')).toEqual([
    ["record", undefined],
    ["value", "a", 1],
    ["value", "b", 'x "y", z\nw'],
    ["record", undefined],
    ["value", "a", 2],
    ["value", "b", 3],
  ]);
});

test("a line with too few fields or without a time is refused by itself", () => {
  expect(decodePayload(CSV, "1,2\nsoon,3,,4\n5,6,,7")).toEqual([
    ["refuse", "payload.malformed", 'Record line 1 has 2 fields, not 4: "1,2".'],
    ["refuse", "time.invalid", 'The time column "ts" of line 2 is "soon", not a time in s.'],
    ["value", "temp", 3],
    ["value", "rpm", 4],
    ["record", 5_000_000],
    ["value", "temp", 6],
    ["value", "rpm", 7],
  ]);
});

test.each([
  ['1,"2', "The quote at character 2 is never closed."],
  ['1,"2"3', 'After the closing quote at character 4 there is "3".'],
  ['1,2"3"', "A quote stands within a field at character 3."],
])("%j is malformed, with the position", (payload, message) => {
  expect(() => decodePayload({ format: "csv", columns: ["a", "b"] }, payload)).toThrow(message);
});

test("a header without the time column is malformed", () => {
  const settings = { format: "csv", time: { column: "ts", unit: "s" } };
  expect(() => decodePayload(settings, "a,b\n1,2")).toThrow(
    'The header has no time column "ts", only ["a","b"].',
  );
});

test("settings that contradict themselves are refused with the path", () => {
  expect(() => decodePayload({ format: "csv", columns: ["a", "a"] }, "")).toThrow("names a column twice");
  expect(() =>
    decodePayload({ format: "csv", columns: ["a"], time: { column: "b", unit: "s" } }, ""),
  ).toThrow("is not one of a");
  expect(() => decodePayload({ format: "json", metrics: { a: "a" }, value: "v" }, "{}")).toThrow(
    "one of the two",
  );
  expect(() => decodePayload({ format: "json", metrics: { a: "a" }, ignore: ["b"] }, "{}")).toThrow(
    "has no effect",
  );
  expect(() => decodePayload({ format: "xml" }, "")).toThrow("Invalid discriminator");
});
