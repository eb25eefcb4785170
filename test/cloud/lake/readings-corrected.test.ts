import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import type { GatewayEvent } from "@sluice/shared/contract/event.ts";
import { CLOCKS } from "@sluice/shared/contract/reading.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { expect, onTestFinished, test } from "vitest";
import { DAY_US, EPOCH, land, landReadings, readingBlock } from "./rows.ts";

const HOUR_US = 3_600_000_000;

async function openLake(store: ObjectStore): Promise<Lake> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-lake-"));
  const lake = await Lake.open({
    store,
    settings: lakeSettingsSchema.parse({ cacheDir: dir }),
    clock: new SimulatedClock(DAY_US + 86_400_000_000),
    log: silentLog,
  });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  return lake;
}

const stepped = (seq: number, from: number, through: number, stepUs: number): GatewayEvent => ({
  seq,
  kind: "clock.stepped",
  atUs: DAY_US,
  offsets: { from, through },
  count: through - from + 1,
  detail: "The gateway's clock was set.",
  facts: { boot: "b", stepUs },
});

/** By offset: the step in microseconds, and how far the two times of its readings are from what was stored. */
async function moves(lake: Lake, gateway: string): Promise<unknown[][]> {
  const { rows } = await lake.sql(
    `SELECT DISTINCT c."offset", c.clock_step_us, epoch_us(c.received_at) - epoch_us(r.received_at),
       epoch_us(c.measured_at) - epoch_us(r.measured_at)
     FROM readings_corrected c JOIN readings r USING (gateway, epoch, "offset", "index")
     WHERE gateway = '${gateway}' ORDER BY ALL`,
  );
  return rows.map((row) => row.map(Number));
}

test("every step moves what came before it in its boot, to the microsecond, and nothing else", async () => {
  const store = new MemoryStore();
  const lake = await openLake(store);
  const at = { gateway: "gw-1", epoch: EPOCH };
  const block = readingBlock(0, 8);
  const clock = block.clock.fill(CLOCKS.indexOf("arrival"));
  clock.fill(CLOCKS.indexOf("unsure"), 0, 2);
  clock.fill(CLOCKS.indexOf("device"), 6, 8); // The readings of message 3.
  await land(store, { ...at, stream: "readings", from: 0, to: 7 }, [block]);
  await landReadings(store, 0, 1, { gateway: "gw-2" });
  await land(store, { ...at, stream: "events", from: 0, to: 2 }, [
    [stepped(0, 0, 1, 56 * HOUR_US + 1), stepped(1, 0, 4, -HOUR_US), stepped(2, 6, 6, 7)],
  ]);
  await lake.commitLanding();
  const both = 55 * HOUR_US + 1;
  expect(await moves(lake, "gw-1")).toEqual([
    [0, both, both, both],
    [1, both, both, both],
    [2, -HOUR_US, -HOUR_US, -HOUR_US],
    [3, -HOUR_US, -HOUR_US, 0],
    [4, -HOUR_US, -HOUR_US, -HOUR_US],
    [5, 0, 0, 0],
    [6, 7, 7, 7],
    [7, 0, 0, 0],
  ]);
  expect(await moves(lake, "gw-2")).toEqual([
    [0, 0, 0, 0],
    [1, 0, 0, 0],
  ]);
});

test("without any step the view is the table, also while it is empty", async () => {
  const store = new MemoryStore();
  const lake = await openLake(store);
  const of = (name: string): string => `SELECT * EXCLUDE (clock_step_us) FROM ${name} ORDER BY ALL`;
  expect((await lake.sql("SELECT * FROM readings_corrected")).rows).toEqual([]);
  await landReadings(store, 0, 5);
  await lake.commitLanding();
  const corrected = await lake.sql(of("readings_corrected"));
  expect(corrected).toEqual(await lake.sql("SELECT * FROM readings ORDER BY ALL"));
  expect(corrected.rows).toHaveLength(12);
});
