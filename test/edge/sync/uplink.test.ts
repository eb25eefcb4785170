// The uplink over the gateway's own state file and real landing objects; time is simulated.
import { settingsOf, Site } from "./site.ts";
import { syncSettingsSchema } from "@sluice/edge/sync/settings.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { afterEach, expect, test } from "vitest";

const sites: Site[] = [];

afterEach(async () => {
  for (const site of sites.splice(0)) await site.close();
});

function openSite(settings: Parameters<typeof settingsOf>[0] = {}): Site {
  const site = new Site(settingsOf(settings));
  sites.push(site);
  return site;
}

test("rows wait until the batch is full or old, and then are in the lake once", async () => {
  const site = openSite({ batchRowsMax: 100, batchAgeMs: 10_000 });
  await site.start();
  site.buffer.step({ messages: 60 });
  await site.advance(1_000);
  expect(await site.landed()).toEqual([]);
  site.buffer.step({ messages: 60 });
  await site.advance(1_000);
  expect(await site.landed()).toMatchObject([{ stream: "readings", from: 0, to: 59, rows: 60 }]);
  await site.advance(10_000);
  expect(await site.landed()).toMatchObject([
    { stream: "readings", from: 0, to: 59, rows: 60 },
    { stream: "readings", from: 60, to: 119, rows: 60 },
  ]);
  expect(site.uplink.stats()).toMatchObject({
    lake: "reached",
    pendingRows: 0,
    waiting: { batches: 0, bytes: 0 },
    delivered: { batches: 2, rows: 120 },
    failedUploads: 0,
  });
});

test("an object's metadata names the checksum of its bytes", async () => {
  const site = openSite();
  await site.start();
  site.buffer.step({ messages: 5 });
  await site.advance(20_000);
  const [landed] = await site.landed();
  const result = await site.lake.get(landed?.key ?? "");
  if (result.state !== "found") throw new Error("the object is there");
  expect(result.object.metadata).toEqual({ sha256: sha256Hex(result.object.body) });
});

test("ranges of a quiet stream reach up to the messages that gave it no rows", async () => {
  const site = openSite();
  await site.start();
  site.buffer.step({ messages: 10, labels: 1 });
  site.buffer.step({ messages: 10 });
  await site.advance(20_000);
  site.buffer.step({ messages: 10 });
  site.buffer.step({ messages: 10, labels: 2 });
  await site.advance(20_000);
  const labels = (await site.landed()).filter(({ stream }) => stream === "labels");
  expect(labels).toMatchObject([
    { from: 0, to: 19, rows: 1 },
    { from: 20, to: 39, rows: 2 },
  ]);
});

test("predictions go before labels, and labels before readings, however long the readings have waited", async () => {
  const site = openSite();
  site.lakeFails(new PipelineError("store.unavailable", "the link is down"));
  await site.start();
  site.buffer.step({ messages: 50 });
  await site.uplink.flush(1_000);
  site.buffer.step({ messages: 50, labels: 1, predictions: 3 });
  await site.uplink.flush(1_000);
  site.puts.length = 0;
  site.lakeWorks();
  await site.uplink.flush(1_000);
  expect(site.puts.map((key) => key.split("/")[1])).toEqual([
    "predictions",
    "labels",
    "readings",
    "readings",
  ]);
});

test("while the lake is away only full batches are made, nothing fails, and back-off grows to its limit", async () => {
  const site = openSite({ batchRowsMax: 100, batchAgeMs: 1_000, retryBaseMs: 1_000, retryMaxMs: 8_000 });
  site.lakeFails(new PipelineError("store.unavailable", "the link is down"));
  await site.start();
  for (let i = 0; i < 30; i++) {
    site.buffer.step({ messages: 10 });
    await site.advance(2_000);
  }
  const { waiting, lake, failedUploads, lastError } = site.uplink.stats();
  expect(lake).toBe("away");
  // The first batch was made by age before the lake was known to be away.
  expect(waiting.batches).toBe(3);
  expect(failedUploads).toBeGreaterThanOrEqual(7);
  expect(failedUploads).toBeLessThanOrEqual(16);
  expect(lastError).toMatchObject({ code: "store.unavailable" });
  expect(site.logged("warn")).toHaveLength(1);
  expect(site.logged("error")).toEqual([]);
  site.lakeWorks();
  await site.advance(20_000);
  expect(site.uplink.stats()).toMatchObject({ lake: "reached", pendingRows: 0, waiting: { batches: 0 } });
  expect((await site.landed()).reduce((rows, batch) => rows + batch.rows, 0)).toBe(300);
  expect(site.logged("info")).toHaveLength(1);
});

test("a refusal that a person must mend is logged as an error once, and tried again until it is mended", async () => {
  const site = openSite({ retryMaxMs: 5_000 });
  site.lakeFails(new PipelineError("store.denied", "no right to write"));
  await site.start();
  site.buffer.step({ messages: 10 });
  await site.advance(60_000);
  expect(site.logged("error")).toHaveLength(1);
  site.lakeWorks();
  await site.advance(10_000);
  expect(await site.landed()).toMatchObject([{ rows: 10 }]);
});

test("a batch is encoded once, however often its upload fails and the gateway restarts", async () => {
  const site = openSite();
  site.lakeFails(new PipelineError("store.unavailable", "the link is down"));
  await site.start();
  site.buffer.step({ messages: 10 });
  await site.advance(60_000);
  await site.restart();
  await site.advance(60_000);
  site.lakeWorks();
  await site.advance(60_000);
  expect(site.encodings).toBe(1);
  expect(await site.landed()).toMatchObject([{ from: 0, to: 9, rows: 10 }]);
});

test("an upload whose answer was lost before a crash is found delivered, not doubled", async () => {
  const site = openSite();
  site.loseAnswers();
  await site.start();
  site.buffer.step({ messages: 10 });
  await site.advance(30_000);
  expect(site.uplink.stats()).toMatchObject({ lake: "away", delivered: { batches: 0 } });
  await site.restart();
  site.lakeWorks();
  await site.advance(30_000);
  expect(site.uplink.stats()).toMatchObject({ delivered: { batches: 1, rows: 10 }, waiting: { batches: 0 } });
  expect(site.puts.length).toBeGreaterThan(1);
  expect(await site.landed()).toMatchObject([{ from: 0, to: 9, rows: 10 }]);
});

test("an object that lost its metadata is compared by its bytes", async () => {
  const site = openSite();
  site.loseAnswers();
  await site.start();
  site.buffer.step({ messages: 10 });
  await site.uplink.flush(1_000);
  const key = site.puts[0] ?? "";
  const before = await site.lake.get(key);
  if (before.state !== "found") throw new Error("the object is there");
  await site.lake.put(key, before.object.body);
  site.lakeWorks();
  expect(await site.uplink.flush(1_000)).toBe(true);
  expect(site.uplink.stats()).toMatchObject({ divergedBatches: 0, delivered: { batches: 1 } });
});

test("other bytes at a batch's key are an alarm: nothing is overwritten, the batch is kept, the others go on", async () => {
  const site = openSite();
  await site.start();
  site.buffer.step({ messages: 10 });
  const foreign = new TextEncoder().encode("another gateway's");
  const key = site.keyOf("readings", 0, 9);
  await site.lake.put(key, foreign);
  site.buffer.step({ messages: 0, readings: 0, predictions: 2 });
  await site.advance(20_000);
  site.buffer.step({ messages: 10 });
  await site.advance(60_000);
  expect(await site.lake.get(key)).toMatchObject({ object: { body: foreign } });
  expect(site.uplink.stats()).toMatchObject({
    divergedBatches: 1,
    waiting: { batches: 1 },
    delivered: { batches: 2, rows: 12 },
    lastError: { code: "sync.diverged" },
  });
  expect(site.logged("error")).toEqual([expect.stringContaining(key)]);
  expect(site.buffer.state.peekOutbox(9, "readings")).toMatchObject([{ key, from: 0, to: 9 }]);
  expect(await site.uplink.flush(1_000)).toBe(false);
});

test("a batch that the store refuses for itself does not hold up the others", async () => {
  const site = openSite({ retryMaxMs: 30_000 });
  site.lakeFails(new PipelineError("store.refused", "too large"), /predictions/);
  await site.start();
  site.buffer.step({ messages: 10, predictions: 1 });
  await site.advance(20_000);
  expect(await site.landed()).toMatchObject([{ stream: "readings" }]);
  site.lakeWorks();
  await site.advance(60_000);
  expect(await site.landed()).toMatchObject([{ stream: "predictions" }, { stream: "readings" }]);
});

test("a lake that never answers is given up after uploadTimeoutMs, and batches go on being made meanwhile", async () => {
  const site = openSite({ uploadTimeoutMs: 20_000, batchAgeMs: 1_000 });
  site.lakeHangs();
  await site.start();
  site.buffer.step({ messages: 10 });
  await site.advance(2_000);
  site.buffer.step({ messages: 10 });
  await site.advance(2_000);
  expect(site.uplink.stats()).toMatchObject({ lake: "unknown", sealed: { batches: 2 } });
  await site.advance(20_000);
  expect(site.uplink.stats()).toMatchObject({ lake: "away", lastError: { code: "store.timeout" } });
});

test("a stop sends what is there, and what it cannot send in time is sent after the next start", async () => {
  const site = openSite({ stopFlushMs: 2_000 });
  await site.start();
  site.buffer.step({ messages: 10 });
  await site.uplink.stop();
  expect(await site.landed()).toMatchObject([{ rows: 10 }]);
  await site.restart();
  site.lakeHangs();
  site.buffer.step({ messages: 10 });
  const stopping = site.uplink.stop();
  await site.advance(2_500);
  await stopping;
  await site.uplink.stop();
  expect(await site.landed()).toHaveLength(1);
  site.lakeWorks();
  await site.restart();
  await site.advance(1_000);
  expect(await site.landed()).toMatchObject([
    { from: 0, to: 9 },
    { from: 10, to: 19 },
  ]);
});

test("nothing is uploaded before the store has proved what it promises", async () => {
  const site = openSite();
  site.provable = false;
  await site.start();
  site.buffer.step({ messages: 10 });
  await site.advance(60_000);
  expect(site.puts).toEqual([]);
  expect(site.uplink.stats()).toMatchObject({
    lake: "away",
    lastError: { code: "store.no_conditional_put" },
  });
  site.provable = true;
  await site.advance(120_000);
  site.buffer.step({ messages: 10 });
  await site.advance(120_000);
  expect(await site.landed()).toHaveLength(2);
  expect(site.proofs).toBeGreaterThan(1);
});

test("a bandwidth cap is kept on average", async () => {
  const site = openSite({ batchRowsMax: 10, bandwidthBytesPerSecondMax: 1_000 });
  await site.start();
  for (let i = 0; i < 20; i++) site.buffer.step({ messages: 10 });
  await site.advance(10_000);
  const { delivered } = site.uplink.stats();
  const largest = delivered.bytes / delivered.batches;
  expect(delivered.bytes).toBeGreaterThan(10_000 - 2 * largest);
  expect(delivered.bytes).toBeLessThan(10_000 + 2 * largest);
});

test("an hour of backlog is made into batches without keeping the thread from its other work", async () => {
  const site = openSite({ batchRowsMax: 10 });
  for (let i = 0; i < 50; i++) site.buffer.step({ messages: 10 });
  let turns = 0;
  const count = (): void => {
    turns += 1;
    if (turns < 10_000) setImmediate(count);
  };
  count();
  await site.start();
  await site.uplink.flush(1_000);
  expect(await site.landed()).toHaveLength(50);
  expect(turns).toBeGreaterThanOrEqual(50);
  turns = 10_000;
});

test("a stream whose rows cannot be read holds up itself only, is reported once, and keeps its rows", async () => {
  const site = openSite();
  await site.start();
  site.buffer.state.commitStep({
    throughOffset: 0,
    appended: [{ stream: "labels", from: 0, to: 0, rows: 1, chunk: new Uint8Array([255, 1, 2]) }],
    counters: {},
  });
  site.buffer.step({ messages: 10 });
  await site.advance(120_000);
  expect(await site.landed()).toMatchObject([{ stream: "readings", rows: 10 }]);
  expect(site.uplink.stats()).toMatchObject({
    pendingRows: 1,
    lastError: { code: "buffer.chunk_unreadable" },
  });
  expect(site.logged("error")).toHaveLength(1);
});

test("a buffer that fails is the end of the uplink, and is told", async () => {
  const site = openSite();
  await site.start();
  site.buffer.state.close();
  await site.advance(1_000);
  expect(site.failures).toHaveLength(1);
  await site.uplink.stop();
  site.buffer.reopen();
});

test("settings have limits and refuse what they do not know", () => {
  expect(syncSettingsSchema.parse({})).toMatchObject({ batchRowsMax: 20_000, batchAgeMs: 10_000 });
  expect(syncSettingsSchema.safeParse({ batchRowsMax: 0 }).success).toBe(false);
  expect(syncSettingsSchema.safeParse({ batchRowMax: 10 }).success).toBe(false);
});
