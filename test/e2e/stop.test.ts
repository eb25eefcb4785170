import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { expect, onTestFinished, test } from "vitest";
import { until } from "./programs.ts";
import { connectPublisher, COUNT_NUMBERED, countedOnce, numbered, publishAll, s3Lake, Site } from "./site.ts";

const READINGS = 12_000;

// Goal: a stop loses nothing and doubles nothing. Method: SIGTERM in the middle of a stream that goes on meanwhile,
// twice; what the publisher holds an acknowledgement for is in the lake when the process has ended.
test("a stop drains what was acknowledged into the lake, and the next start goes on where it stopped", async () => {
  const site = await Site.make();
  const startMs = Math.floor(systemClock.nowUs() / 1_000) - READINGS * 10;
  let gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  const published = publishAll(publisher, numbered(0, READINGS, startMs));
  for (const more of [3_000, 2_000]) {
    const stopAt = publisher.stats().acknowledged + more;
    await until(`${stopAt} acknowledgements`, () =>
      publisher.stats().acknowledged >= stopAt ? true : undefined,
    );
    const outcome = await gateway.stop();
    expect(outcome).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('{"event":"stopped","late":[]}'),
    });
    const { acknowledged } = publisher.stats();
    expect(acknowledged).toBeLessThan(READINGS);
    const [rows] = await site.commitAndAsk(
      `select count(*) as held, count(distinct value) as numbers from readings where value < ${acknowledged}`,
    );
    // Acknowledgements come in order, so these are the first ones.
    expect(rows).toEqual({ held: acknowledged, numbers: acknowledged });
    gateway = await site.startGateway();
  }
  await published;
  const status = await gateway.drained();
  expect(publisher.stats()).toMatchObject({ acknowledged: READINGS, reconnects: 2 });
  expect(status.buffer.nextOffset).toBe(READINGS);
  expect(await site.commitAndAsk(COUNT_NUMBERED)).toEqual([countedOnce(READINGS)]);
  // Windows of a second, a hundred readings each; the last one stays open.
  const [features] = await site.ask(
    `select count(*) as rows, count(distinct (device, window_end, revision)) as windows, max(seq) + 1 as numbered,
      max(revision) as revision, count(distinct epoch) as epochs from features`,
  );
  expect(features).toMatchObject({ revision: 0, epochs: 1 });
  expect(features?.["windows"]).toBe(features?.["rows"]);
  expect(features?.["numbered"]).toBe(features?.["rows"]);
  expect(features?.["rows"]).toBeGreaterThanOrEqual(READINGS / 100 - 1);
}, 60_000);

// Method: a store that answers nothing for a minute keeps the drain busy; the second signal must not wait for it.
test("a second signal skips the draining, and what was not delivered goes with the next start", async () => {
  const store = await startObjectStore();
  onTestFinished(() => store.stop());
  const site = await Site.make({ lake: s3Lake(store), sync: { stopFlushMs: 60_000 } });
  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  store.orderFault({ kind: "slow", ms: 60_000, key: /^landing\//, count: Number.MAX_SAFE_INTEGER });
  await publishAll(publisher, numbered(0, 100, Math.floor(systemClock.nowUs() / 1_000) - 2_000));
  const stopped = gateway.stop();
  await until("it is draining", () =>
    gateway.getStatus().then(
      () => undefined,
      () => true,
    ),
  );
  const outcome = await Promise.race([gateway.stop(), stopped]);
  expect(outcome.code).toBe(1);
  store.clearFaults();
  const again = await site.startGateway();
  await again.drained();
  expect(await site.commitAndAsk(COUNT_NUMBERED)).toEqual([countedOnce(100)]);
}, 60_000);
