import type { KeptWindow } from "@sluice/edge/buffer/kept-windows.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { expect, test } from "vitest";
import { freshCommitter, readTable } from "../../cloud/lake/table-reader.ts";
import { BudgetSite, deviceOf, measuredAtUs, READINGS_PER_MESSAGE, type SiteLimits } from "./budget-site.ts";
import { codeOf, tempFolder } from "./fixtures.ts";

/** It fills up in a few dozen steps. */
const DISK_BYTES_MAX = 4 * 1_048_576;
const STEP_MESSAGES = 1_000;
const STEPS = 110;

const siteOf = (limits: Partial<SiteLimits> = {}): BudgetSite =>
  new BudgetSite(tempFolder(), { diskBytesMax: DISK_BYTES_MAX, ...limits });

/** A window of ten messages of one device, among the last ones. */
function windowAt(offset: number): KeptWindow {
  return { device: deviceOf(offset), fromUs: measuredAtUs(offset), toUs: measuredAtUs(offset + 40) };
}

/** The readings that came in for a window. */
function readingsIn({ device, fromUs, toUs }: KeptWindow): readonly string[] {
  const readings: string[] = [];
  for (let offset = 0; offset < STEPS * STEP_MESSAGES; offset++)
    if (deviceOf(offset) === device && measuredAtUs(offset) >= fromUs && measuredAtUs(offset) < toUs)
      for (let index = 0; index < READINGS_PER_MESSAGE; index++) readings.push(`${offset}.${index}`);
  return readings;
}

interface Shed {
  readonly stream: string;
  readonly from: number;
  readonly through: number;
  readonly count: number;
  readonly kind: string;
}

/** What the events in the lake say was given up. */
async function shedRecords(site: BudgetSite): Promise<readonly Shed[]> {
  const rows = await readTable(site.lake, "events");
  return rows
    .filter(({ kind }) => String(kind).startsWith("shed."))
    .map((row) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is no such record fails the test
      const facts = JSON.parse(String(row["facts"])) as { stream: string; from: number; through: number };
      return { ...facts, count: Number(row["count"]), kind: String(row["kind"]) };
    });
}

/** The rows of the lake's table and those that were given up, counted by the ranges of the landing objects. */
async function accounts(site: BudgetSite, stream: "readings" | "features"): Promise<readonly number[][]> {
  const number = stream === "readings" ? "offset" : "seq";
  const numbers = (await readTable(site.lake, stream)).map((row) => Number(row[number]));
  const shed = (await shedRecords(site)).filter((record) => record.stream === stream);
  const ends = [...new Set(shed.map(({ through }) => through))].sort((a, b) => a - b);
  return ends.map((through) => {
    const own = shed.filter((record) => record.through === through);
    const from = own[0]?.from ?? 0;
    const found = numbers.filter((n) => n >= from && n <= through).length;
    const gone = own.reduce((sum, { count }) => sum + count, 0);
    return [found + gone, (through - from + 1) * (stream === "readings" ? READINGS_PER_MESSAGE : 1)];
  });
}

/*
 * Goal: at the disk budget, with the lake away for long, nothing goes without a record, and what must stay stays.
 * Method: steps with anomalous windows now and then, batches, uploads whose answers are lost, restarts, all at random
 * from a seed; then the lake is back, its tables are committed, and compared with the events and with what came in.
 */
test.each([11])(
  "what is in the lake and what was given up by the record add up to what came in (seed %i)",
  async (seed) => {
    const site = siteOf();
    const random = seededRandom(seed);
    const kept: KeptWindow[] = [];
    let usedMax = 0;
    for (let i = 0; i < STEPS; i++) {
      const windows = random.int(4) === 0 ? [windowAt(i * STEP_MESSAGES - random.int(900) + 900)] : [];
      kept.push(...windows);
      site.step(STEP_MESSAGES, windows);
      await site.clock.advance(1_000);
      site.seal("readings");
      if (random.int(8) === 0) for (const stream of ["features", "predictions"] as const) site.seal(stream);
      if (random.int(25) === 0) await site.send("readings", false);
      if (random.int(60) === 0) site.reopen();
      site.keep();
      usedMax = Math.max(usedMax, site.budget.use().diskBytes);
    }
    const counters = site.state.counters();
    expect(usedMax).toBeLessThanOrEqual(DISK_BYTES_MAX);
    expect(counters["shed.readings.thinned"]).toBeGreaterThan(50_000);
    expect(site.messages.stats().refused).toBe(0);

    await site.drain();
    expect(await freshCommitter(site.lake).run()).toMatchObject({ lost: [], gaps: [] });
    const readings = await readTable(site.lake, "readings");
    const shed = await shedRecords(site);
    const shedOf = (stream: string): number =>
      shed.filter((record) => record.stream === stream).reduce((sum, { count }) => sum + count, 0);
    expect(readings.length + shedOf("readings")).toBe(counters["readings"]);
    for (const stream of ["readings", "features"] as const)
      for (const [found, appended] of await accounts(site, stream)) expect(found).toBe(appended);
    expect((counters["shed.readings.thinned"] ?? 0) + (counters["shed.readings.dropped"] ?? 0)).toBe(
      shedOf("readings"),
    );

    const predictions = await readTable(site.lake, "predictions");
    expect(predictions.length).toBe(STEPS + kept.length);
    const vectors = await readTable(site.lake, "features");
    expect(vectors.length + shedOf("features")).toBe(STEPS + kept.length);
    const found = new Set(readings.map((row) => `${String(row["offset"])}.${String(row["index"])}`));
    expect(found.size, "none is there twice").toBe(readings.length);
    expect(kept.flatMap(readingsIn).filter((reading) => !found.has(reading))).toEqual([]);
    site.close();
  },
  120_000,
);

test("where the policy is to refuse, nothing goes but raw messages that are on disk a second time, and new ones are refused", async () => {
  const site = siteOf({ whenFull: "refuse" });
  let refusal = "nothing was thrown";
  let steps = 0;
  while (refusal === "nothing was thrown" && steps < 500) {
    refusal = codeOf(() => site.step(STEP_MESSAGES));
    if (refusal === "nothing was thrown") steps++;
    await site.clock.advance(1_000);
    site.seal("readings");
    site.keep();
  }
  expect(refusal).toBe("buffer.full");
  expect(site.messages.read(0, { messages: 1, bytes: 1 })[0]?.offset, "raw messages went").toBeGreaterThan(0);
  expect(site.budget.use()).toMatchObject({ exhausted: true });
  expect(Object.keys(site.state.counters())).toEqual(["messages", "readings"]);
  // Its messages are not acknowledged; what was, is there.
  await site.drain();
  site.keep();
  site.step(STEP_MESSAGES);
  await site.drain();
  expect(await freshCommitter(site.lake).run()).toMatchObject({ lost: [], gaps: [] });
  expect((await readTable(site.lake, "readings")).length).toBe(
    (steps + 1) * STEP_MESSAGES * READINGS_PER_MESSAGE,
  );
  site.close();
}, 60_000);

test("what may not be given up stays however full the disk is, and then new messages are refused", async () => {
  const site = siteOf();
  const all: KeptWindow[] = Array.from({ length: 4 }, (_, device) => ({
    device: `pump-${device}`,
    fromUs: 0,
    toUs: Number.MAX_SAFE_INTEGER,
  }));
  let refusal = "nothing was thrown";
  for (let steps = 0; refusal === "nothing was thrown" && steps < 500; steps++) {
    refusal = codeOf(() => site.step(STEP_MESSAGES, all));
    await site.clock.advance(1_000);
    site.seal("readings");
    site.keep();
  }
  expect(refusal).toBe("buffer.full");
  expect(site.state.counters()["shed.readings.thinned"]).toBeUndefined();
  expect(site.state.counters()["shed.readings.dropped"]).toBeUndefined();
  site.close();
}, 60_000);

test("batches whose windows are still open are thinned out only when all others are used up", async () => {
  const site = siteOf({ settleUs: 20_000_000 });
  for (let i = 0; i < 160; i++) {
    site.step(STEP_MESSAGES);
    await site.clock.advance(1_000);
    site.seal("readings");
    site.keep();
  }
  const steps = site.state.untriedBatches("readings").map(({ step }) => step);
  expect(steps.slice(0, -20).some((step) => step > 1)).toBe(true);
  expect(new Set(steps.slice(-19))).toEqual(new Set([1]));
  site.close();
}, 60_000);

test("after a long outage the state file gives its room back to the disk", async () => {
  const site = siteOf({ diskBytesMax: 256 * 1_048_576 });
  for (let i = 0; i < 150; i++) site.step(5_000);
  while (site.state.pending("readings").rows > 0) site.seal("readings", 20_000);
  const full = site.state.diskBytes();
  expect(full).toBeGreaterThan(24 * 1_048_576);
  await site.drain();
  expect(site.state.space().freeBytes).toBeGreaterThan(16 * 1_048_576);
  site.keep();
  expect(site.state.space().freeBytes).toBeLessThanOrEqual(16 * 1_048_576);
  expect(site.state.diskBytes()).toBeLessThan(full - 8 * 1_048_576);
  site.close();
}, 60_000);
