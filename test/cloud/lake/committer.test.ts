import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import { landingKey, type LandingRange, SHA256_METADATA } from "@sluice/shared/contract/lake-key.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { tableFromArrays, tableFromIPC, tableToIPC } from "apache-arrow";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { expect, test } from "vitest";
import {
  DAY_US,
  EPOCH,
  label,
  land,
  landReadings,
  prediction,
  quarantined,
  readingBlock,
  vector,
} from "./rows.ts";
import { freshCommitter, idsOf, readingIds, readTable } from "./table-reader.ts";

const NOON_US = DAY_US + 43_200_000_000;
const keysBelow = async (store: MemoryStore, prefix: string): Promise<readonly string[]> =>
  (await Array.fromAsync(store.list(prefix))).map(({ key }) => key);
const rangeOf = (from: number, to: number, stream = "readings" as const) => ({
  stream,
  gateway: "gw-1",
  epoch: EPOCH,
  from,
  to,
});

/** The landing key `key` with other bytes, and a checksum that fits them. */
async function replace(store: MemoryStore, key: string, body: Uint8Array): Promise<void> {
  await store.put(key, body, { metadata: { [SHA256_METADATA]: sha256Hex(body) } });
}

test("every stream's rows come out of the table as they went into the landing object", async () => {
  const store = new MemoryStore();
  await landReadings(store, 0, 1);
  const at = { gateway: "gw-1", epoch: EPOCH, from: 0 };
  await land(store, { ...at, stream: "features", to: 1 }, [[vector(0)], [vector(1, { values: [] })]]);
  await land(store, { ...at, stream: "predictions", to: 0 }, [[prediction(0)]]);
  await land(store, { ...at, stream: "labels", to: 9 }, [[label(3)]]);
  await land(store, { ...at, stream: "quarantine", to: 9 }, [[quarantined(4)]]);
  const report = await freshCommitter(store).run();
  expect(report.rowsByTable).toEqual({ readings: 4, features: 2, predictions: 1, labels: 1, quarantine: 1 });
  expect(await readTable(store, "readings")).toContainEqual(
    expect.objectContaining({
      gateway: "gw-1",
      epoch: EPOCH,
      offset: 1n,
      index: 1,
      device: "pump-1",
      unit: null,
      value: 1.1,
      clock: "device",
      withheld: false,
      date: "2026-11-21",
    }),
  );
  const [first, second] = await readTable(store, "features");
  expect(JSON.stringify([first?.["values"], second?.["values"]])).toBe("[[0.5,null],[]]");
  const [scored] = await readTable(store, "predictions");
  expect(scored).toMatchObject({ slot: "champion", score: 0, anomalous: false });
  expect(JSON.stringify(scored?.["top_features"])).toBe('["accel_rms","flow_mean"]');
  expect(await readTable(store, "labels")).toMatchObject([
    { offset: 3n, label: "bearing_fault", note: 'a "quoted", note; ü' },
  ]);
  expect(await readTable(store, "quarantine")).toMatchObject([
    { reason: "payload.malformed", payload: Uint8Array.of(0, 255, 4) },
  ]);
});

test("rows behind a gap wait and are reported until the gap is filled; other gateways go on", async () => {
  const store = new MemoryStore();
  await landReadings(store, 0, 4);
  await landReadings(store, 8, 9);
  await landReadings(store, 10, 11);
  await landReadings(store, 0, 1, { gateway: "gw-2" });
  const warned: object[] = [];
  const committer = freshCommitter(store, { log: { ...silentLog, warn: (fields) => warned.push(fields) } });
  const gap = { stream: "readings", gateway: "gw-1", epoch: EPOCH, from: 5, to: 7, waiting: 2 };
  expect((await committer.run()).gaps).toEqual([gap]);
  expect((await committer.run()).gaps).toEqual([gap]);
  expect(warned).toEqual([gap]);
  expect(await readingIds(store)).toEqual([...idsOf("gw-1", 0, 4), ...idsOf("gw-2", 0, 1)]);
  await landReadings(store, 5, 7);
  expect((await committer.run()).gaps).toEqual([]);
  expect(await readingIds(store)).toEqual([...idsOf("gw-1", 0, 11), ...idsOf("gw-2", 0, 1)]);
});

const good = encodeLanding("readings", [readingBlock(5, 5)]);
const flipped = good.with(60, (good[60] ?? 0) ^ 1);
const UNUSABLE: Readonly<Record<string, { body: Uint8Array; sha256?: string; reason: RegExp }>> = {
  "an empty object": { body: new Uint8Array(), reason: /cannot be unpacked/ },
  "a torn object": { body: good.subarray(0, good.length - 9), reason: /cannot be unpacked/ },
  "an object with a flipped bit": { body: flipped, reason: /cannot be unpacked|not/ },
  "an object that is not what its checksum says": {
    body: good,
    sha256: "0".repeat(64),
    reason: /SHA-256 is .* stated 0000/,
  },
  "an object of another stream": {
    body: encodeLanding("labels", [[label(5)]]),
    reason: /its columns are offset, device/,
  },
  "Arrow that is not packed": { body: zstdDecompressSync(good), reason: /cannot be unpacked/ },
  "Arrow of another program": {
    body: zstdCompressSync(tableToIPC(tableFromArrays({ t: Float64Array.of(1), v: Float64Array.of(2) }))),
    reason: /its columns are t, v, expected offset, index/,
  },
  "an Arrow file instead of a stream": {
    body: zstdCompressSync(tableToIPC(tableFromIPC(zstdDecompressSync(good)), "file")),
    reason: /not an Arrow IPC stream/,
  },
  "a few bytes that unpack to gigabytes": {
    body: zstdCompressSync(new Uint8Array(600_000_000)),
    reason: /unpack to more than 536870912/,
  },
  "rows outside the key's range": {
    body: encodeLanding("readings", [readingBlock(6, 5)]),
    reason: /number 10, the key says 5 to 9/,
  },
  "rows that are there twice": {
    body: encodeLanding("readings", [readingBlock(5, 2), readingBlock(6, 2)]),
    reason: /number 6.0 after 6.1/,
  },
};

test.each(Object.entries(UNUSABLE))(
  "%s is set aside with its reason, and the rows behind it go on",
  async (_, { body, sha256, reason }) => {
    const store = new MemoryStore();
    await landReadings(store, 0, 4);
    const key = landingKey(rangeOf(5, 9));
    await store.put(key, body, { metadata: { [SHA256_METADATA]: sha256 ?? sha256Hex(body) } });
    await landReadings(store, 10, 14);
    const clock = new SimulatedClock(NOON_US);
    const committer = freshCommitter(store, { clock, landingGraceMs: 1_000 });
    const report = await committer.run();
    expect(report.lost).toEqual([
      { key, reason: expect.stringMatching(reason), setAside: expect.any(String) },
    ]);
    expect(report.gaps).toEqual([]);
    expect(await readingIds(store)).toEqual([...idsOf("gw-1", 0, 4), ...idsOf("gw-1", 10, 14)]);
    const aside = report.lost[0]?.setAside ?? "";
    const copy = await store.get(aside);
    expect(copy.state === "found" && sha256Hex(copy.object.body)).toBe(sha256Hex(body));
    const record = await store.get(`${aside}.reason.json`);
    expect(
      record.state === "found" && JSON.parse(new TextDecoder().decode(record.object.body)),
    ).toMatchObject({ key, bytes: body.length });
    // The object itself goes only after its copy is safe and the grace is over.
    expect(await keysBelow(store, "landing/")).toContain(key);
    await clock.advance(2_000);
    await committer.run();
    expect(await keysBelow(store, "landing/")).toEqual([]);
    expect(await keysBelow(store, "quarantine/landing/")).toEqual([aside, `${aside}.reason.json`]);
  },
);

test("a range of which a gateway kept few rows, or none, is committed, and the rows behind it go on", async () => {
  const store = new MemoryStore();
  await landReadings(store, 0, 4);
  const put = (range: LandingRange, body: Uint8Array): Promise<unknown> =>
    store.put(landingKey(range), body, { metadata: { [SHA256_METADATA]: sha256Hex(body) } });
  await put(rangeOf(5, 9), encodeLanding("readings", [readingBlock(5, 0)]));
  await put(rangeOf(10, 19), encodeLanding("readings", [readingBlock(12, 1)]));
  await landReadings(store, 20, 24);
  await put({ ...rangeOf(0, 9), stream: "features" }, encodeLanding("features", [[vector(3)]]));
  const report = await freshCommitter(store).run();
  expect(report).toMatchObject({ lost: [], gaps: [], objects: 5 });
  expect(await readingIds(store)).toEqual(
    [idsOf("gw-1", 0, 4), idsOf("gw-1", 12, 12), idsOf("gw-1", 20, 24)].flat(),
  );
});

test("what the wire damaged once is read again and not lost", async () => {
  const store = new MemoryStore();
  const key = await landReadings(store, 0, 4);
  const get = store.get.bind(store);
  let reads = 0;
  store.get = async (wanted, options) => {
    const result = await get(wanted, options);
    if (wanted !== key || ++reads > 1 || result.state !== "found") return result;
    return { state: "found", object: { ...result.object, body: result.object.body.subarray(0, 50) } };
  };
  expect((await freshCommitter(store).run()).lost).toEqual([]);
  expect(await readingIds(store)).toEqual(idsOf("gw-1", 0, 4));
});

test("an object without a checksum in its metadata, as in a copied lake, is committed by its own checksum", async () => {
  const store = new MemoryStore();
  await store.put(landingKey(rangeOf(0, 4)), encodeLanding("readings", [readingBlock(0, 5)]));
  expect(await freshCommitter(store).run()).toMatchObject({ rows: 10, lost: [] });
});

test("an object whose range overlaps others is set aside, and nobody's rows are there twice", async () => {
  const store = new MemoryStore();
  await landReadings(store, 0, 4);
  const inside = await landReadings(store, 2, 4);
  const across = await landReadings(store, 3, 8);
  await landReadings(store, 5, 9);
  const report = await freshCommitter(store).run();
  expect(await readingIds(store)).toEqual(idsOf("gw-1", 0, 9));
  expect(report.setAside.map(({ key }) => key).sort()).toEqual([inside, across].sort());
  expect(report.lost).toEqual([]);
});

test("an overlap that nothing else covers is passed over as lost, so that it does not block for ever", async () => {
  const store = new MemoryStore();
  await landReadings(store, 0, 4);
  const across = await landReadings(store, 3, 8);
  await landReadings(store, 9, 9);
  const report = await freshCommitter(store).run();
  expect(await readingIds(store)).toEqual([...idsOf("gw-1", 0, 4), ...idsOf("gw-1", 9, 9)]);
  expect(report.lost).toMatchObject([{ key: across, reason: "its range overlaps what is committed" }]);
});

test("a landing object is deleted after its grace, and only if its bytes are those committed", async () => {
  const store = new MemoryStore();
  const clock = new SimulatedClock(NOON_US);
  const committer = freshCommitter(store, { clock, landingGraceMs: 60_000 });
  const first = await landReadings(store, 0, 4);
  const second = await landReadings(store, 5, 9);
  expect(await committer.run()).toMatchObject({ rows: 20, deleted: 0 });
  await replace(store, second, encodeLanding("readings", [readingBlock(5, 4)]));
  await clock.advance(59_000);
  expect(await committer.run()).toMatchObject({ deleted: 0, setAside: [] });
  expect(await keysBelow(store, "landing/")).toEqual([first, second]);
  await clock.advance(2_000);
  // A fresh process knows the age from the log.
  const report = await freshCommitter(store, { clock, landingGraceMs: 60_000 }).run();
  expect(report).toMatchObject({ deleted: 1, setAside: [{ key: second }] });
  expect(await keysBelow(store, "landing/")).toEqual([]);
  expect(await readingIds(store)).toEqual(idsOf("gw-1", 0, 9));
});

test("a batch that comes once more after it was committed and deleted changes nothing", async () => {
  const store = new MemoryStore();
  const clock = new SimulatedClock(NOON_US);
  const committer = freshCommitter(store, { clock, landingGraceMs: 0 });
  await landReadings(store, 0, 4);
  await committer.run();
  await clock.advance(1_000);
  expect((await committer.run()).deleted).toBe(1);
  await landReadings(store, 0, 4);
  expect(await committer.run()).toMatchObject({ rows: 0, commits: 0, deleted: 1, setAside: [], lost: [] });
  expect(await readingIds(store)).toEqual(idsOf("gw-1", 0, 4));
});

test("a new epoch of a gateway begins at 0 beside the old one", async () => {
  const store = new MemoryStore();
  await landReadings(store, 0, 4);
  await landReadings(store, 0, 1, { epoch: "0198a6d2-8c1f-4a5e-9d3b-2f6f0c9a1b7f" });
  expect(await freshCommitter(store).run()).toMatchObject({ rows: 14, gaps: [] });
});

test("rows of several days go to one file per day, whatever the number of landing objects", async () => {
  const store = new MemoryStore();
  await landReadings(store, 0, 4, { stepUs: 43_200_000_000 });
  await landReadings(store, 5, 9, { stepUs: 43_200_000_000 });
  expect(await freshCommitter(store).run()).toMatchObject({ commits: 1, files: 5, rows: 20 });
  const rows = await readTable(store, "readings");
  for (const row of rows) {
    const day = Math.floor((Number(row["offset"]) * 43_200) / 86_400);
    expect(row["date"]).toBe(`2026-11-${21 + day}`);
  }
});

test("objects that no gateway named are moved away, not read and not lost", async () => {
  const store = new MemoryStore();
  const keys = [
    "landing/readme.txt",
    "landing/readings/gateway=gw-1/epoch=x/1-2.arrow.zst",
    "landing/unknown/a",
  ];
  for (const key of keys) await store.put(key, Uint8Array.of(1));
  expect((await freshCommitter(store).run()).setAside.map(({ key }) => key).sort()).toEqual(keys.toSorted());
  expect(await keysBelow(store, "landing/")).toEqual([]);
  expect((await keysBelow(store, "quarantine/landing/")).length).toBe(6);
});

test("landing objects are deleted after their grace also while commits go on and on", async () => {
  const store = new MemoryStore();
  const clock = new SimulatedClock(NOON_US);
  const committer = freshCommitter(store, { clock, landingGraceMs: 300_000 });
  let deleted = 0;
  for (let i = 0; i < 400; i++) {
    await landReadings(store, i, i);
    deleted += (await committer.run()).deleted;
    await clock.advance(1_000);
  }
  expect(deleted).toBe(99);
  expect(await keysBelow(store, "landing/")).toHaveLength(301);
});
