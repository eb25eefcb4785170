import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { backfill, type BackfillSpec, planBackfill } from "@sluice/cloud/feature-store/backfill.ts";
import { backfillFile } from "@sluice/cloud/feature-store/backfill-file.ts";
import { verifyFeatures } from "@sluice/cloud/feature-store/parity.ts";
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { backfillKey, isBackfillEpoch } from "@sluice/shared/contract/backfill.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { recompute } from "@sluice/shared/features/recompute.ts";
import { expect, test } from "vitest";
import { land } from "../lake/rows.ts";
import { EPOCH, GATEWAY, openLake, type OpenedLake, pumpView } from "./lake.ts";

const START_US = 1_795_219_200_000_000;
const STEP_US = 100_000;
const VIEW = pumpView({
  features: [
    { name: "level_mean", fn: "mean", of: "level" },
    { name: "level_std", fn: "std", of: "level" },
  ],
});
const HASH = viewHash(VIEW);
const quiet = (): void => undefined;

/** A reading of each of two devices per message, every tenth of a second; every seventh message comes late. */
function readings(fromOffset: number, messages: number): ReadingBlock {
  const count = messages * 2;
  const offset = Float64Array.from({ length: count }, (_, i) => fromOffset + (i >> 1));
  const lateSteps = (at: number): number => (at % 7 === 6 ? 4 : 0);
  const series = ["pump-1", "pump-2"].map((device) => ({
    device,
    deviceType: "pump",
    metric: "level",
    unit: "m",
  }));
  return {
    count,
    series: [...series, { device: "door-1", deviceType: "door", metric: "level", unit: "m" }],
    seriesIndex: Uint32Array.from({ length: count }, (_, i) => i & 1),
    offset,
    index: Uint32Array.from({ length: count }, (_, i) => i & 1),
    measuredAtUs: offset.map((at) => START_US + (at - lateSteps(at)) * STEP_US),
    receivedAtUs: offset.map((at) => START_US + at * STEP_US + 2_000),
    value: offset.map((at, i) => Math.sin(at / 3 + (i & 1)) + 0.1),
    clock: new Uint8Array(count),
    withheld: new Uint8Array(count),
  };
}

const landReadings = ({ store }: OpenedLake, fromOffset: number, messages: number): Promise<string> =>
  land(
    store,
    { stream: "readings", gateway: GATEWAY, epoch: EPOCH, from: fromOffset, to: fromOffset + messages - 1 },
    [readings(fromOffset, messages)],
  );

const spec = (change: Partial<BackfillSpec> = {}): BackfillSpec => ({
  view: { view: VIEW, hash: HASH },
  fromUs: START_US,
  toUs: START_US + 3_600_000_000,
  ...change,
});

const COUNT =
  "SELECT count(*)::INTEGER, count(DISTINCT (epoch, seq))::INTEGER, count(DISTINCT (device, window_end, revision))::INTEGER FROM features";

test("what is back-filled has the bits that the engine makes, known since the reading that closed the window came", async () => {
  const opened = await openLake();
  await landReadings(opened, 0, 300);
  await landReadings(opened, 300, 300);
  const [result] = await backfill(opened, spec(), quiet);
  const expected = [...recompute({ view: VIEW, hash: HASH, sinceOffset: 0 }, [readings(0, 600)])];
  expect(expected.length).toBeGreaterThan(110);
  expect(expected.some(({ revision }) => revision > 0)).toBe(true);
  expect(result).toMatchObject({ vectors: expected.length, added: expected.length, readings: 1_200 });
  const epoch = result?.epoch ?? "";
  expect(isBackfillEpoch(epoch)).toBe(true);
  const stored = await opened.lake.vectorsOf({ gateway: GATEWAY, epoch });
  expect(stored).toEqual(expected.map((vector, seq) => ({ ...vector, seq })));
});

test("a back-fill that is repeated adds nothing, and with more readings only what follows from them", async () => {
  const opened = await openLake();
  await landReadings(opened, 0, 300);
  const [first] = await backfill(opened, spec(), quiet);
  const [again] = await backfill(opened, spec(), quiet);
  expect(again).toMatchObject({ epoch: first?.epoch, vectors: first?.vectors, added: 0 });
  await landReadings(opened, 300, 200);
  const [more] = await backfill(opened, spec(), quiet);
  expect(more?.epoch).toBe(first?.epoch);
  expect(more?.added).toBe((more?.vectors ?? 0) - (first?.vectors ?? 0));
  const { rows } = await opened.lake.sql(COUNT);
  expect(rows).toEqual([[more?.vectors, more?.vectors, more?.vectors]]);
});

test("a run that was cut off anywhere, or another one at the same time, leaves each vector once", async () => {
  const opened = await openLake();
  await landReadings(opened, 0, 500);
  for (const after of [0, 1, 2, 3]) {
    let puts = 0;
    const cut = {
      get: opened.store.get.bind(opened.store),
      put: (...args: Parameters<typeof opened.store.put>) =>
        puts++ === after ? Promise.reject(new Error("cut")) : opened.store.put(...args),
    };
    await backfill({ store: cut, lake: opened.lake }, spec(), quiet).catch(() => undefined);
  }
  const runs = await Promise.all([backfill(opened, spec(), quiet), backfill(opened, spec(), quiet)]);
  const vectors = runs[0]?.[0]?.vectors;
  expect((await opened.lake.sql(COUNT)).rows).toEqual([[vectors, vectors, vectors]]);
});

test("only windows of the time and the device that were asked for are stored", async () => {
  const opened = await openLake();
  await landReadings(opened, 0, 600);
  const fromUs = START_US + 20_500_000;
  const toUs = START_US + 40_000_000;
  await backfill(opened, spec({ fromUs, toUs, device: "pump-2" }), quiet);
  const { rows } = await opened.lake.sql(
    "SELECT DISTINCT device, epoch_us(min(window_start))::DOUBLE, epoch_us(max(window_end))::DOUBLE, min(since_offset)::INTEGER FROM features GROUP BY device",
  );
  expect(rows).toEqual([["pump-2", START_US + 21_000_000, toUs, 196]]);
  expect(await planBackfill(opened.lake, spec({ gateway: "gw-2" }))).toEqual([]);
  expect(await planBackfill(opened.lake, spec({ fromUs: START_US + 61_500_000 }))).toEqual([]);
});

test("the check of the bits covers what was back-filled, and says when its record is gone", async () => {
  const opened = await openLake();
  await landReadings(opened, 0, 300);
  const [result] = await backfill(opened, spec({ device: "pump-1", fromUs: START_US + 5_000_000 }), quiet);
  expect(await verifyFeatures(opened, quiet)).toMatchObject([
    { equal: result?.vectors, different: 0, waiting: 0, problem: undefined },
  ]);
  await opened.store.delete(backfillKey(result?.epoch ?? ""));
  const [row] = await verifyFeatures(opened, quiet);
  expect(row?.problem).toContain("its record is not in the lake: backfills/");
});

test("into a file come the same vectors with a column for each feature, and nothing into the lake", async () => {
  const opened = await openLake();
  await landReadings(opened, 0, 300);
  await opened.lake.commitLanding();
  const out = { path: join(opened.dir, "vectors.csv"), format: "csv" as const };
  const [result] = await backfillFile(opened.lake, { ...spec(), out }, quiet);
  const [header, first, ...others] = (await readFile(out.path, "utf8")).trimEnd().split("\n");
  expect(header).toContain('"withheld","level_mean","level_std"');
  expect(first).toContain(`"${GATEWAY}",${EPOCH},"pump-1","pump",2026-11-21T00:00:00.000Z`);
  expect(others.length + 1).toBe(result?.vectors);
  expect((await opened.lake.sql("SELECT count(*)::INTEGER FROM features")).rows).toEqual([[0]]);
  const parquet = { path: join(opened.dir, "vectors.parquet"), format: "parquet" as const };
  await backfillFile(opened.lake, { ...spec(), out: parquet }, quiet);
  expect((await readFile(parquet.path)).subarray(0, 4).toString()).toBe("PAR1");
});
