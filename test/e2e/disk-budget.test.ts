import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { expect, test } from "vitest";
import { run } from "./programs.ts";
import { connectPublisher, publishAll, Site } from "./site.ts";

/** The least that may be asked for. */
const DISK_BYTES_MAX = 16 * 1_048_576;
const METRICS = 200;

/** Messages of many values that no compression makes small: they use up the budget soon. */
function* noisy(from: number, to: number, startMs: number): Generator<readonly [string, string]> {
  for (let n = from; n < to; n++) {
    const values = Array.from({ length: METRICS }, (_, i) => [`m${i}`, Math.sin(n * 977 + i * 131)]);
    yield [
      `plant/pump-${n % 3}/telemetry`,
      JSON.stringify({ ts: startMs + n * 10, ...Object.fromEntries(values) }),
    ];
  }
}

const awayAt = (path: string, whenFull: "shed" | "refuse") => ({
  lake: { kind: "folder", path },
  buffer: { dir: "buffer", diskBytesMax: DISK_BYTES_MAX, whenFull },
  features: { views: [] },
});

// Goal: at the disk budget messages are taken and acknowledged, and every reading that is given up for it is told.
test("a gateway at its disk budget thins out what is oldest, says so, and the lake can account for every reading", async () => {
  const site = await Site.make(awayAt("missing/lake", "shed"));
  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  const startMs = Math.floor(systemClock.nowUs() / 1_000) - 100_000;
  let sent = 0;
  for (let thinned = 0; thinned === 0 && sent < 12_000; sent += 500) {
    await publishAll(publisher, noisy(sent, sent + 500, startMs));
    thinned = (await gateway.getStatus()).counters["shed.readings.thinned"] ?? 0;
  }
  const { stdout } = await run("gateway", "status", "--config", site.gatewayFile);
  expect(stdout).toMatch(/shed +[\d,]{3,} readings thinned away, \d+ dropped/);
  expect(stdout).toMatch(
    /disk +1\d\.\d MiB of 16\.0 MiB, (\d+ minutes left .* until readings are thinned out|readings are thinned out now)/,
  );
  expect((await gateway.getHealth()).problems.join()).toContain("the oldest readings are given up for room");
  await mkdir(join(site.dir, "missing"));
  const { counters } = await gateway.drained();
  expect(counters["messages"]).toBe(sent);
  const [found] = await site.commitAndAsk("select count(*)::int as rows from readings");
  const [gone] = await site.ask("select sum(count)::int as rows from events where kind like 'shed.%'");
  expect(Number(found?.["rows"]) + Number(gone?.["rows"])).toBe(sent * METRICS);
  expect(Number(gone?.["rows"])).toBeGreaterThan(1_000);
}, 120_000);

test("a gateway that must not give up anything lets its senders wait at the disk budget, and takes it all when the lake is back", async () => {
  const site = await Site.make(awayAt("missing/lake", "refuse"));
  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  const startMs = Math.floor(systemClock.nowUs() / 1_000) - 100_000;
  // What there is room for in any case is taken portion by portion, however slow the machine is.
  const [taken, sent] = [5_000, 14_000];
  for (let n = 0; n < taken; n += 500) await publishAll(publisher, noisy(n, n + 500, startMs));
  const all = publishAll(publisher, noisy(taken, sent, startMs));
  await gateway.statusWhen("it is full", ({ problems }) =>
    problems.join().includes("disk budget is used up"),
  );
  await mkdir(join(site.dir, "missing"));
  await all;
  const { counters } = await gateway.drained();
  expect(Object.keys(counters).filter((name) => name.startsWith("shed."))).toEqual([]);
  expect(await site.commitAndAsk("select count(*)::int as rows from readings")).toEqual([
    { rows: sent * METRICS },
  ]);
}, 180_000);
