// What may be sent when, and which readings: the uplink over the gateway's own state file, on simulated time.
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { afterEach, expect, test } from "vitest";
import { settingsOf, Site } from "./site.ts";

const sites: Site[] = [];

afterEach(async () => {
  for (const site of sites.splice(0)) await site.close();
});

function openSite(settings: Parameters<typeof settingsOf>[0] = {}): Site {
  const site = new Site(settingsOf(settings));
  sites.push(site);
  return site;
}

const HOUR_MS = 3_600_000;

test("the day's bytes are kept across restarts, predictions may use the last of them, and the next day goes on", async () => {
  const site = openSite({ batchRowsMax: 4_000, bandwidthBytesPerDayMax: 100_000, pollMs: 60_000 });
  await site.start();
  for (let i = 0; i < 60; i++) {
    site.buffer.step({ messages: 4_000 });
    await site.advance(1_000);
    if (i % 20 === 7) await site.restart();
  }
  const { held, day, waiting } = site.uplink.stats();
  expect(held?.reason).toBe("day_budget");
  expect(held?.streams).toEqual(["readings"]);
  expect(isoTime(held?.untilUs ?? 0)).toBe("2027-01-16T00:00:00.000Z");
  expect(waiting.batches).toBeGreaterThan(0);
  const sizes: number[] = [];
  for await (const { bytes } of site.lake.list("landing/")) sizes.push(bytes);
  const sum = sizes.reduce((sum, size) => sum + size, 0);
  // A batch counts as it is stored, with its checksum.
  expect(day.sentBytes).toBeGreaterThanOrEqual(sum);
  expect(day.sentBytes).toBeLessThanOrEqual(sum + 64 * sizes.length);
  expect(sum).toBeLessThanOrEqual(90_000);
  expect(sum).toBeGreaterThan(90_000 - 2 * Math.max(...sizes));
  const before = (await site.landed()).length;
  site.buffer.step({ messages: 1, readings: 0, predictions: 3 });
  await site.advance(70_000);
  expect((await site.landed()).map(({ stream }) => stream)).toContain("predictions");
  expect(await site.landed()).toHaveLength(before + 1);
  await site.restart();
  expect(site.uplink.stats().day.sentBytes).toBeGreaterThan(sum);
  expect(await site.landed()).toHaveLength(before + 1);
  // The rest goes in the days that follow, as much on each as on the first.
  const waitingOn: number[] = [];
  for (let day = 1; day < 9; day++) {
    waitingOn.push(site.uplink.stats().waiting.bytes);
    await site.clock.advance(24 * HOUR_MS);
    await site.advance(1_000);
  }
  expect(waitingOn.at(-1)).toBe(0);
  waitingOn
    .slice(1)
    .forEach((bytes, i) => expect((waitingOn[i] ?? 0) - bytes).toBeLessThanOrEqual(2 * 90_000));
});

test("in quiet hours urgent streams go, the others are made into full batches and go afterwards", async () => {
  const site = openSite({
    batchRowsMax: 100,
    pollMs: 60_000,
    quietHours: [{ from: "08:00", to: "09:00" }],
    quietTimeZone: "UTC",
  });
  await site.start();
  for (let i = 0; i < 25; i++) {
    site.buffer.step({ messages: 10, predictions: 1 });
    await site.advance(60_000);
  }
  expect(new Set((await site.landed()).map(({ stream }) => stream))).toEqual(new Set(["predictions"]));
  const { held, waiting, lake } = site.uplink.stats();
  expect(held).toEqual({
    reason: "quiet_hours",
    untilUs: 1_800_000_000_000_000 + HOUR_MS * 1_000,
    streams: ["readings"],
  });
  expect([lake, waiting.batches]).toEqual(["reached", 2]);
  expect(await site.uplink.flush(1_000)).toBe(false);
  await site.advance(36 * 60_000);
  const readings = (await site.landed()).filter(({ stream }) => stream === "readings");
  expect(readings.reduce((rows, batch) => rows + batch.rows, 0)).toBe(250);
  expect(site.uplink.stats()).toMatchObject({ held: undefined, waiting: { batches: 0 } });
});

test("the order of uploads is that of the settings", async () => {
  const site = openSite({
    uploadOrder: ["labels", "readings", "predictions", "events", "features", "quarantine"],
    uploadsMax: 1,
  });
  site.buffer.step({ messages: 50, labels: 1, predictions: 3 });
  await site.uplink.flush(1_000);
  expect(site.puts.map((key) => key.split("/")[1])).toEqual(["labels", "readings", "predictions"]);
});

test("uploads overtake each other, but what the lake has is noted in order, so that a crash finds the rest again", async () => {
  const site = openSite({ batchRowsMax: 10, uploadsMax: 3, uploadTimeoutMs: 60_000, stopFlushMs: 0 });
  await site.start();
  site.buffer.step({ messages: 10 });
  await site.advance(1_000);
  expect(site.uplink.stats().lake).toBe("reached");
  site.hangs(/\/0*10-/);
  for (let i = 0; i < 3; i++) site.buffer.step({ messages: 10 });
  await site.advance(2_000);
  expect((await site.landed()).map(({ from }) => from)).toEqual([0, 20, 30]);
  expect(site.buffer.state.deliveredThrough("readings")).toBe(9);
  expect(site.buffer.state.outbox().batches).toBe(3);
  await site.restart();
  expect(site.buffer.state.deliveredThrough("readings")).toBe(9);
  site.lakeWorks();
  await site.advance(2_000);
  expect((await site.landed()).map(({ from }) => from)).toEqual([0, 10, 20, 30]);
  expect(site.buffer.state.deliveredThrough("readings")).toBe(39);
  expect(site.encodings).toBe(4);
});

test("uploads that fail together are one failure: the wait is bounded and jittered, and a link that is away gets one try", async () => {
  const site = openSite({
    batchRowsMax: 10,
    uploadsMax: 4,
    retryBaseMs: 1_000,
    retryMaxMs: 8_000,
    pollMs: 10,
  });
  await site.start();
  site.buffer.step({ messages: 10 });
  await site.advance(1_000);
  const tries: number[] = [];
  site.lakeFails(new PipelineError("store.unavailable", "the link is down"));
  site.heard = () => tries.push(site.clock.nowUs() / 1_000);
  for (let i = 0; i < 8; i++) site.buffer.step({ messages: 10 });
  await site.advance(60_000);
  expect(tries.slice(0, 4)).toEqual(Array(4).fill(tries[0]));
  const waits = tries.slice(3).flatMap((at, i, all) => (i === 0 ? [] : [at - (all[i - 1] ?? 0)]));
  expect(waits.length).toBeGreaterThan(7);
  waits.forEach((wait, i) => {
    const ceilingMs = Math.min(8_000, 1_000 * 2 ** i);
    expect(wait).toBeGreaterThanOrEqual(ceilingMs / 2);
    expect(wait).toBeLessThanOrEqual(ceilingMs + 250);
  });
  expect(new Set(waits.slice(4)).size).toBeGreaterThan(1);
});

test("tries on a link that is away do not use up the day's bytes", async () => {
  const site = openSite({ bandwidthBytesPerDayMax: 100_000, retryMaxMs: 1_000, pollMs: 1_000 });
  site.lakeFails(new PipelineError("store.unavailable", "the link is down"));
  await site.start();
  site.buffer.step({ messages: 5_000 });
  await site.advance(300_000);
  const { failedUploads, day, waiting } = site.uplink.stats();
  expect(failedUploads).toBeGreaterThan(100);
  expect(day.sentBytes).toBe(waiting.bytes);
});

/** Offsets of what the lake has, what was told to be left out of each range, and what is left out by the counter. */
async function sentAndTold(site: Site) {
  const { chunks } = site.buffer.state.readPending("events", 1_000_000);
  const told = chunks.flatMap((chunk) => decodeChunk("events", chunk));
  return {
    landed: (await site.landed()).filter(({ stream }) => stream === "readings"),
    told,
    counted: site.buffer.state.counters()["shed.readings.policy"] ?? 0,
  };
}

test("thinned readings and the events of the others add up to all, in ranges without a gap, across restarts", async () => {
  const site = openSite({
    batchAgeMs: 5_000,
    urgentStreams: [],
    readings: { policy: "thinned", intervalMs: 10_000 },
  });
  await site.start();
  for (let i = 0; i < 60; i++) {
    site.buffer.step({ messages: 5 });
    await site.advance(1_000);
    if (i === 30) await site.restart();
  }
  await site.uplink.flush(1_000);
  const { landed, counted } = await sentAndTold(site);
  const rows = landed.reduce((sum, batch) => sum + batch.rows, 0);
  expect(rows + counted).toBe(300);
  expect(rows).toBeGreaterThanOrEqual(6);
  expect(rows).toBeLessThanOrEqual(10);
  landed.forEach((batch, i) => expect(batch.from).toBe(i === 0 ? 0 : (landed[i - 1]?.to ?? 0) + 1));
  expect(landed.at(-1)?.to).toBe(299);
  const events = (await site.landed()).filter(({ stream }) => stream === "events");
  expect(events.length).toBeGreaterThan(0);
});

test("around anomalies the past is still claimed, the future too, and nothing else is sent but the ranges", async () => {
  const site = openSite({
    batchAgeMs: 5_000,
    stopFlushMs: 0,
    readings: { policy: "around_anomalies", beforeMs: 20_000, afterMs: 10_000 },
  });
  site.settleUs = 15_000_000;
  await site.restart();
  const startUs = site.clock.nowUs();
  let window: { fromUs: number; toUs: number } | undefined;
  for (let second = 0; second < 180; second++) {
    site.buffer.step({ messages: 1 });
    if (second === 90) {
      // The window closed 10 s after its end: its model called it anomalous then.
      window = { fromUs: site.clock.nowUs() - 15_000_000, toUs: site.clock.nowUs() - 10_000_000 };
      site.buffer.keep({ device: "pump-1", ...window });
    }
    await site.advance(1_000);
    if (second === 95) await site.restart();
  }
  await site.advance(120_000);
  const times = await site.measuredAt();
  const expected: number[] = [];
  for (const atUs of site.buffer.stepTimes)
    if (atUs >= (window?.fromUs ?? 0) - 20_000_000 && atUs < (window?.toUs ?? 0) + 10_000_000)
      expected.push(atUs);
  expect(expected.length).toBeGreaterThan(30);
  expect(startUs).toBeLessThan(expected[0] ?? 0);
  expect(times).toEqual(expected);
  const { landed, counted } = await sentAndTold(site);
  expect(times.length + counted).toBe(180);
  expect(landed.some(({ rows }) => rows === 0)).toBe(true);
  landed.forEach((batch, i) => expect(batch.from).toBe(i === 0 ? 0 : (landed[i - 1]?.to ?? 0) + 1));
});

test("a stop does not send what an anomaly may still claim: it waits on disk", async () => {
  const site = openSite({ readings: { policy: "around_anomalies", beforeMs: 60_000, afterMs: 0 } });
  await site.start();
  site.buffer.step({ messages: 10 });
  await site.advance(5_000);
  await site.uplink.stop();
  expect(await site.landed()).toEqual([]);
  expect(site.buffer.state.pending("readings").rows).toBe(10);
});
