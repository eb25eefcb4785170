// Goal: the proof on real tables. Method: readings are landed and committed by the real committer; then single things
// are broken, as bytes of files and of the log, and `verify`, with `--deep` where only bytes show it, must say so.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import type { GatewayEvent } from "@sluice/shared/contract/event.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { type Verified, verifyLake, type VerifyOptions, withFindings } from "@sluice/cloud/lake/verify.ts";
import { verifyDeep } from "@sluice/cloud/lake/verify-deep.ts";
import { deviceHours } from "@sluice/cloud/lake/verify-devices.ts";
import { renderDeviceHours, renderVerify } from "@sluice/cloud/lake/verify-render.ts";
import { expect, onTestFinished, test } from "vitest";
import { DAY_US, EPOCH, label, land, landReadings, quarantined, vector } from "./rows.ts";

const clock = new SimulatedClock(DAY_US + 86_400_000_000);

/** A lake as a fresh process has it. */
async function openLake(
  store: MemoryStore,
  change: object = {},
  at = clock,
): Promise<{ readonly lake: Lake; readonly options: VerifyOptions }> {
  const cacheDir = await mkdtemp(join(tmpdir(), "sluice-verify-"));
  const settings = lakeSettingsSchema.parse({ cacheDir, ...change });
  const lake = await Lake.open({ store, settings, clock: at, log: silentLog });
  onTestFinished(async () => {
    await lake.close();
    await rm(cacheDir, { recursive: true });
  });
  return { lake, options: { store, sql: (query) => lake.sql(query), clock, tell: () => undefined } };
}

/** A lake with readings of two gateways, labels, vectors and one refused message; nothing is missing. */
async function wholeLake(): Promise<{
  readonly store: MemoryStore;
  readonly lake: Lake;
  readonly options: VerifyOptions;
}> {
  const store = new MemoryStore();
  const { lake, options } = await openLake(store);
  await landReadings(store, 0, 1_999);
  await landReadings(store, 2_000, 2_999);
  await lake.commitLanding();
  await landReadings(store, 0, 99, { gateway: "gw-2" });
  const at = { gateway: "gw-1", epoch: EPOCH, from: 0 };
  await land(store, { ...at, stream: "labels", to: 2 }, [[label(0), label(2)]]);
  await land(store, { ...at, stream: "features", to: 1 }, [[vector(0), vector(1)]]);
  await land(store, { ...at, stream: "quarantine", to: 3 }, [[quarantined(3)]]);
  await lake.commitLanding();
  return { store, lake, options };
}

async function deep(options: VerifyOptions): Promise<Verified["report"]> {
  const { report, ...read } = await verifyLake(options, {});
  return withFindings(report, await verifyDeep(options, read, {}));
}

const unexplained = ({ findings }: Verified["report"]): readonly string[] =>
  findings.filter(({ explained }) => !explained).map(({ kind }) => kind);

const tableFile = async (store: MemoryStore): Promise<string> => {
  for await (const { key } of store.list("tables/readings/date=")) return key;
  throw new Error("the table has a file");
};

async function bytesOf(store: MemoryStore, key: string): Promise<Uint8Array> {
  const found = await store.get(key);
  if (found.state !== "found") throw new Error(`${key} is there`);
  return found.object.body;
}

const textOf = async (store: MemoryStore, key: string): Promise<string> =>
  new TextDecoder().decode(await bytesOf(store, key));

test("a whole lake is proved from its logs, and from every byte", async () => {
  const { options } = await wholeLake();
  const { report } = await verifyLake(options, {});
  expect(unexplained(report)).toEqual([]);
  expect(report.findings).toMatchObject([{ kind: "quarantined", gateway: "gw-1", count: 1 }]);
  expect(report.gateways).toContainEqual({
    gateway: "gw-2",
    epoch: EPOCH,
    table: "readings",
    state: "complete",
    through: 99,
    rows: 200,
    objects: 1,
    lostRanges: 0,
  });
  expect(unexplained(await deep(options))).toEqual([]);
});

test("no data file but those of events is read for the proof", async () => {
  const { store, options } = await wholeLake();
  const read: string[] = [];
  const watching = new Proxy(store, {
    get: (target, name) => {
      if (name === "get")
        return (key: string) => {
          read.push(key);
          return target.get(key);
        };
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  await verifyLake({ ...options, store: watching }, {});
  expect(read.filter((key) => key.endsWith(".parquet"))).toEqual([]);
  expect(read.length).toBeGreaterThan(3);
});

test("a byte of a table file that changed without changing its size is found by reading it", async () => {
  const { store, options } = await wholeLake();
  const key = await tableFile(store);
  const body = Uint8Array.from(await bytesOf(store, key));
  body[100] = (body[100] ?? 0) ^ 1;
  await store.put(key, body);
  expect(unexplained((await verifyLake(options, {})).report)).toEqual([]);
  expect(unexplained(await deep(options))).toEqual(["file"]);
});

test("rows that were put into the table a second time, with their statistics, are found", async () => {
  const { store } = await wholeLake();
  const logKey = (version: number): string =>
    `tables/readings/_delta_log/${String(version).padStart(20, "0")}.json`;
  const first = await textOf(store, logKey(0));
  const file = JSON.parse(first.split("\n").find((line) => line.startsWith('{"add"')) ?? "{}").add;
  const copy = "date=2026-11-21/part-copy.parquet";
  await store.put(`tables/readings/${copy}`, await bytesOf(store, `tables/readings/${file.path}`));
  const more = `${await textOf(store, logKey(1))}${JSON.stringify({ add: { ...file, path: copy } })}\n`;
  await store.put(logKey(1), new TextEncoder().encode(more));
  const { options } = await openLake(store);
  expect(unexplained((await verifyLake(options, {})).report)).toContain("count");
  expect(unexplained(await deep(options))).toContain("overlap");
});

test("a landing object that is still there is compared with the table value by value", async () => {
  const { store, options } = await wholeLake();
  for await (const { key } of store.list("landing/labels/")) {
    const found = await store.get(key);
    if (found.state !== "found") throw new Error("the object is there");
    await store.put(key, Uint8Array.from([...found.object.body, 0]), { metadata: found.object.metadata });
  }
  expect(unexplained((await verifyLake(options, {})).report)).toEqual([]);
  const report = await deep(options);
  expect(unexplained(report)).toEqual(["landing_differs"]);
  expect(report.findings[0]?.table).toBe("labels");
});

const event = (seq: number, change: Partial<GatewayEvent>): GatewayEvent => ({
  seq,
  kind: "shed.thinned",
  atUs: DAY_US + 7_200_000_000,
  count: 50,
  detail: "50 of 200 readings were given up because the disk budget was reached",
  ...change,
});

test("every device and hour is told apart: complete, given up in that hour, or behind a gap", async () => {
  const { store, lake, options } = await wholeLake();
  const facts = {
    stream: "readings",
    from: 5_000,
    through: 5_001,
    kept: 1,
    devices: "pump-1",
    deviceCount: 1,
    measuredFromUs: DAY_US,
    measuredThroughUs: DAY_US + 1_000_000,
  };
  await land(store, { stream: "events", gateway: "gw-2", epoch: EPOCH, from: 0, to: 0 }, [
    [event(0, { facts })],
  ]);
  await lake.commitLanding();
  await landReadings(store, 3_500, 3_600);
  const { report, events } = await verifyLake(options, {});
  const devices = await deviceHours(options.sql, { findings: report.findings, events }, {});
  const states = devices.hours.map(({ gateway, device, hour, state }) => [
    gateway,
    device,
    hour.slice(0, 13),
    state,
  ]);
  expect(states).toEqual([
    ["gw-1", "pump-1", "2026-11-21T00", "unexplained"],
    ["gw-2", "pump-1", "2026-11-21T00", "explained"],
  ]);
  expect(devices.hours[1]?.missing).toEqual([expect.stringContaining("50 of 200 readings")]);
  expect(renderDeviceHours(devices, 1)).toContain("1 more device hours: raise --limit");
  expect(renderVerify(report, 50)).toMatch(
    /NOT EXPLAINED gap: readings, gateway gw-1, .*offsets 3000 to 3499/,
  );
});

test("a damaged landing object is lost with its reason, and what lies in quarantine is told", async () => {
  const { store, lake, options } = await wholeLake();
  const body = new TextEncoder().encode("no Arrow at all");
  const key = `landing/readings/gateway=gw-2/epoch=${EPOCH}/0000000000000100-0000000000000199.arrow.zst`;
  await store.put(key, body, { metadata: { sha256: sha256Hex(body) } });
  await lake.commitLanding();
  const { report } = await verifyLake(options, { gateway: "gw-2" });
  expect(report.state).toBe("explained");
  expect(report.findings).toMatchObject([{ kind: "lost", from: 100, to: 199, gateway: "gw-2" }]);
  expect(report.gateways).toMatchObject([
    { gateway: "gw-2", state: "explained", lostRanges: 1, through: 199 },
  ]);
});

test("compaction and retention leave a lake that is proved, and what retention took is told with its reason", async () => {
  const store = new MemoryStore();
  const { lake, options } = await openLake(
    store,
    { retention: { readings: { thinAfterDays: 1, thinIntervalMs: 60_000 } } },
    new SimulatedClock(DAY_US + 10 * 86_400_000_000),
  );
  for (const from of [0, 500, 1_000]) {
    await landReadings(store, from, from + 499);
    await lake.commitLanding();
  }
  expect((await lake.upkeep.compact({ streams: ["readings"], day: "2026-11-21" })).days).toHaveLength(1);
  const compacted = await deep(options);
  expect(compacted.state).toBe("complete");
  expect(compacted.tables[0]).toMatchObject({ table: "readings", rows: 3_000, files: 1, landedRows: 3_000 });
  const [thinned] = (await lake.upkeep.retain()).days;
  const kept = await deep(options);
  expect(kept.state).toBe("complete");
  expect(kept.findings).toMatchObject([
    { kind: "removed", explained: true, count: 3_000 - (thinned?.rowsAfter ?? 0) },
  ]);
  expect(kept.findings[0]?.detail).toContain(thinned?.reason);
});
