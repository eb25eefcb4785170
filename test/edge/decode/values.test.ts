// What one value of a message must be, by its contract: type, range and unit.
import { expect, test } from "vitest";
import { decoderOf, messageOf } from "./messages.ts";

/** A payload may name the unit of its values in "u". */
const ROUTE = { topic: "plant/{device}", deviceType: "pump", payload: { format: "json", unit: "u" } };
const METRICS = {
  pressure: { unit: "bar", min: 0, max: 16 },
  flow: { unit: "m3/h", sentUnit: "L/min" },
  starts: { type: "integer", min: 0 },
  running: { type: "boolean" },
};

/** What becomes of the values of one message: readings with their unit, then refusals. */
function outcome(values: object, contracts: object[] = [{ deviceType: "pump", metrics: METRICS }]): string[] {
  const { readings, quarantine } = decoderOf({ routes: [ROUTE], contracts }).decode([
    messageOf(0, "plant/p1", values),
  ]);
  const stored = Array.from({ length: readings.count }, (_, i) => {
    const { metric = "", unit = "" } = readings.series[readings.seriesIndex[i] ?? -1] ?? {};
    return `${metric} ${readings.value[i]} ${unit}`.trim();
  });
  return [...stored, ...quarantine.map(({ reason, detail }) => `${reason}: ${detail}`)];
}

test("a boolean is stored as 1 or 0, whether it is sent as a boolean or as a number", () => {
  expect(outcome({ running: true })).toEqual(["running 1"]);
  expect(outcome({ running: false })).toEqual(["running 0"]);
  expect(outcome({ running: 1 })).toEqual(["running 1"]);
  expect(outcome({ running: 0 })).toEqual(["running 0"]);
});

test("what is not of the promised type is refused with what it is and what it should be", () => {
  expect(outcome({ running: 2 })).toEqual([
    'value.wrong_type: The metric "running" is 2, not true or false.',
  ]);
  expect(outcome({ running: "on" })).toEqual([
    'value.wrong_type: The metric "running" is the string "on", not true or false.',
  ]);
  expect(outcome({ starts: 2.5 })).toEqual([
    'value.wrong_type: The metric "starts" is 2.5, not a whole number.',
  ]);
  expect(outcome({ starts: true })).toEqual([
    'value.wrong_type: The metric "starts" is the boolean true, not a number.',
  ]);
  expect(outcome({ starts: -1 })).toEqual([
    'value.out_of_range: The metric "starts" is -1; the contract of pump allows values from 0 up.',
  ]);
  expect(outcome({ starts: 7, running: null })).toEqual([
    "starts 7",
    'value.wrong_type: The metric "running" is null, not true or false.',
  ]);
});

test("a metric that is sent in another unit than the contract's is stored in the contract's", () => {
  expect(outcome({ flow: 60 })).toEqual(["flow 3.6 m3/h"]);
});

test("a range holds for the value as it is stored", () => {
  const flow = { unit: "m3/h", sentUnit: "L/min", max: 3 };
  expect(outcome({ flow: 60 }, [{ deviceType: "pump", metrics: { flow } }])).toEqual([
    'value.out_of_range: The metric "flow" is 60 L/min, 3.6 m3/h; the contract of pump allows values up to 3.',
  ]);
  const huge = { unit: "Pa", sentUnit: "MPa" };
  expect(outcome({ p: 1e305 }, [{ deviceType: "pump", metrics: { p: huge } }])).toEqual([
    'value.not_finite: The metric "p" is 1e+305 MPa, Infinity Pa, not a finite number.',
  ]);
});

test("a payload that names its unit is believed: it is converted to the contract's, or refused naming both", () => {
  expect(outcome({ pressure: 250, u: "kPa" })).toEqual(["pressure 2.5 bar"]);
  expect(outcome({ pressure: 2.5, u: "bar" })).toEqual(["pressure 2.5 bar"]);
  // What the payload says counts before what the contract says of it.
  expect(outcome({ flow: 3.6, u: "m3/h" })).toEqual(["flow 3.6 m3/h"]);
  expect(outcome({ flow: 1, u: "l/s" })).toEqual(["flow 3.6 m3/h"]);
  expect(outcome({ pressure: 2.5, u: "Cel" })).toEqual([
    'unit.incompatible: The metric "pressure" is sent in "Cel"; the contract of pump has it in "bar", and there is no way from one to the other.',
  ]);
  expect(outcome({ pressure: 2.5, u: "bars" })).toEqual([
    'unit.incompatible: The metric "pressure" is sent in "bars"; the contract of pump has it in "bar", and there is no way from one to the other.',
  ]);
});

test("where no contract has a unit, the one that the payload names is stored", () => {
  expect(outcome({ level: 3, u: "m" })).toEqual(["level 3 m"]);
  expect(outcome({ level: 3, u: "furlong" }, [])).toEqual(["level 3 furlong"]);
  expect(outcome({ level: 3, u: "x".repeat(33) }, [])[0]).toMatch(
    /^unit.incompatible: .* not a unit of 1 to 32 char/,
  );
  expect(outcome({ level: 3, u: "a\nb" }, [])[0]).toMatch(/^unit.incompatible: /);
});

test("a metric that is sent in many units is one series, and a device that invents units cannot fill the memory", () => {
  const decoder = decoderOf({ routes: [ROUTE], contracts: [{ deviceType: "pump", metrics: METRICS }] });
  const units = ["kPa", undefined, "bar", ...Array.from({ length: 100 }, (_, i) => `u${i}`), "kPa", "Pa"];
  const { readings, counters } = decoder.decode(
    units.map((u, i) => messageOf(i, "plant/p1", { pressure: i / 100, u })),
  );
  expect(readings.series).toEqual([{ device: "p1", deviceType: "pump", metric: "pressure", unit: "bar" }]);
  expect([...readings.value]).toEqual([0, 0.01, 0.02, 1.03 / 100, 1.04 / 100_000]);
  expect(counters).toMatchObject({ readings: 5, "quarantine.unit.incompatible": 100 });
});
