import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { expect, onTestFinished, test } from "vitest";
import { decoderOf, messageOf, START_US } from "../../edge/decode/messages.ts";
import { EPOCH, land } from "./rows.ts";

/** What a device type promises, and a payload that may name the unit of its values in "u". */
const PUMP = {
  deviceType: "pump",
  metrics: {
    pressure: { unit: "bar" },
    flow: { unit: "m3/h", sentUnit: "L/min" },
    running: { type: "boolean" },
  },
};
const routes = (deviceType: string): object[] => [
  { topic: "plant/{device}", deviceType, payload: { format: "json", unit: "u" } },
];
const CONTRACT = { routes: routes("pump"), contracts: [PUMP] };
const STRICT = { routes: routes("pump"), contracts: [{ ...PUMP, unknownMetrics: "quarantine" }] };
/** A device type that has no contract. */
const FREE = { routes: routes("fan"), contracts: [] };

/**
 * Each message through a decoder, into landing objects of its own, as a gateway sends them, and into the tables: so
 * a change comes between two commits. Answers a query.
 */
async function lakeAfter(
  settings: object,
  messages: readonly object[],
): Promise<(query: string) => Promise<readonly unknown[]>> {
  const store = new MemoryStore();
  const dir = await mkdtemp(join(tmpdir(), "sluice-changes-"));
  const lake = await Lake.open({
    store,
    settings: lakeSettingsSchema.parse({ cacheDir: dir }),
    clock: new SimulatedClock(START_US + 86_400_000_000),
    log: silentLog,
  });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  const decoder = decoderOf(settings);
  let seq = 0;
  for (const [offset, payload] of messages.entries()) {
    const place = { gateway: "gw-1", epoch: EPOCH, from: offset, to: offset };
    const { readings, quarantine, events } = decoder.decode([messageOf(offset, "plant/d1", payload)]);
    await land(store, { ...place, stream: "readings" }, [readings]);
    await land(store, { ...place, stream: "quarantine" }, [quarantine]);
    const numbered = events.map((event) => ({ ...event, seq: seq++ }));
    if (numbered.length > 0)
      await land(store, { ...place, stream: "events", from: seq - numbered.length, to: seq - 1 }, [numbered]);
    expect(await lake.commitLanding()).toMatchObject({ lost: [], gaps: [] });
  }
  return async (query) => (await lake.sql(query)).rows;
}

const VALUES = `SELECT "offset", metric, "value", unit FROM readings ORDER BY "offset", "index"`;
const REFUSED = `SELECT "offset", reason, detail FROM quarantine ORDER BY "offset"`;
const EVENTS = `SELECT kind, device, metric FROM events ORDER BY seq`;

test("a new metric needs no column: it is in the table beside the others, and an event says when it began", async () => {
  const ask = await lakeAfter(CONTRACT, [{ pressure: 2 }, { pressure: 3, torque: 7 }, { torque: 8 }]);
  expect(await ask(VALUES)).toEqual([
    [0, "pressure", 2, "bar"],
    [1, "pressure", 3, "bar"],
    [1, "torque", 7, undefined],
    [2, "torque", 8, undefined],
  ]);
  expect(await ask(EVENTS)).toEqual([["schema.new_metric", "d1", "torque"]]);
  expect(await ask(REFUSED)).toEqual([]);
});

test("a new metric that a strict contract does not know is in quarantine, the others of its message are not", async () => {
  const ask = await lakeAfter(STRICT, [{ pressure: 2 }, { pressure: 3, torque: 7 }]);
  expect(await ask(VALUES)).toEqual([
    [0, "pressure", 2, "bar"],
    [1, "pressure", 3, "bar"],
  ]);
  expect(await ask(REFUSED)).toEqual([
    [1, "metric.unknown", 'The metric "torque" is not in the contract of pump.'],
  ]);
});

test("a device that changes its unit is still stored in the contract's", async () => {
  const ask = await lakeAfter(CONTRACT, [
    { u: "bar", pressure: 2 },
    { u: "kPa", pressure: 300 },
    { flow: 60 },
    { u: "m3/h", flow: 3.5 },
  ]);
  expect(await ask(VALUES)).toEqual([
    [0, "pressure", 2, "bar"],
    [1, "pressure", 3, "bar"],
    [2, "flow", 3.6, "m3/h"],
    [3, "flow", 3.5, "m3/h"],
  ]);
});

test("a unit that measures something else is in quarantine with both units", async () => {
  const ask = await lakeAfter(CONTRACT, [
    { u: "bar", pressure: 2 },
    { u: "Cel", pressure: 60 },
  ]);
  expect(await ask(VALUES)).toEqual([[0, "pressure", 2, "bar"]]);
  const [refused] = await ask(`SELECT reason, detail LIKE '%Cel%' AND detail LIKE '%bar%' FROM quarantine`);
  expect(refused).toEqual(["unit.incompatible", true]);
});

test("without a contract each value keeps the unit that it was sent in, so that none is taken for another", async () => {
  const ask = await lakeAfter(FREE, [
    { u: "bar", pressure: 2 },
    { u: "kPa", pressure: 300 },
    { pressure: 4 },
  ]);
  expect(await ask(`SELECT unit, count(*), sum("value") FROM readings GROUP BY unit ORDER BY unit`)).toEqual([
    ["bar", 1, 2],
    ["kPa", 1, 300],
    [undefined, 1, 4],
  ]);
});

test("a value of another type is in quarantine with what it is; numbers and booleans stay numbers in the table", async () => {
  const ask = await lakeAfter(CONTRACT, [
    { pressure: 2, running: true },
    { pressure: "2", running: 0 },
    { pressure: { v: 2 }, running: "on" },
    { pressure: 2.5, running: 1 },
  ]);
  expect(
    await ask(`SELECT metric, list("value" ORDER BY "offset") FROM readings GROUP BY metric ORDER BY metric`),
  ).toEqual([
    ["pressure", [2, 2.5]],
    // A number that becomes an object is a new metric.
    ["pressure.v", [2]],
    ["running", [1, 0, 1]],
  ]);
  expect(await ask(`SELECT "offset", reason FROM quarantine ORDER BY "offset", "index"`)).toEqual([
    [1, "value.wrong_type"],
    [2, "value.wrong_type"],
  ]);
  expect(await ask(`SELECT DISTINCT typeof("value") FROM readings`)).toEqual([["DOUBLE"]]);
});
