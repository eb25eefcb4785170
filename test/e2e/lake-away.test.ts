import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { expect, onTestFinished, test } from "vitest";
import { connectPublisher, COUNT_NUMBERED, countedOnce, numbered, publishAll, s3Lake, Site } from "./site.ts";

const PART = 2_000;

/** Small enough that at the test's rate the disk would not last for a day, which is when somebody must act. */
const DISK_BYTES_MAX = 16 * 1_048_576;

// Goal: nothing waits for the lake, and nothing is lost by its absence. Method: readings before, during and after a
// time in which the store answers 503 to everything, then is not there at all; meanwhile the gateway is restarted.
test("a lake that is away holds up no acknowledgement, is told by the health page, and gets everything once when it is back", async () => {
  const site = await Site.make();
  const dir = `${site.dir}/bucket`;
  const first = await startObjectStore({ dir });
  const port = Number(new URL(first.endpoint).port);
  const away = await Site.make({ lake: s3Lake(first), buffer: { diskBytesMax: DISK_BYTES_MAX } });
  const startMs = Math.floor(systemClock.nowUs() / 1_000) - 5 * PART * 10;
  const gateway = await away.startGateway();
  const publisher = await connectPublisher(gateway);
  const publishPart = (part: number): Promise<void> =>
    publishAll(publisher, numbered(part * PART, (part + 1) * PART, startMs));

  await publishPart(0);
  await gateway.drained();
  expect(await gateway.getHealth()).toEqual({ code: 200, problems: [] });

  first.orderFault({ kind: "refuse", status: 503, code: "SlowDown", count: Number.MAX_SAFE_INTEGER });
  await publishPart(1);
  const refused = await gateway.statusWhen("503s are noticed", ({ sync }) => sync.lake === "away");
  // Rates are sampled once a second: how long the disk lasts is known from the second sample on.
  await gateway.statusWhen("it is known how long the disk lasts", ({ problems }) => problems.length > 0);
  expect(refused.sync.lastError).toMatchObject({ code: "store.unavailable" });
  const storm = await gateway.getHealth();
  expect(storm.code).toBe(503);
  expect(storm.problems.join()).toMatch(
    /the lake is away, and the disk lasts for \d+\.\d more hours: .*SlowDown/,
  );

  await first.stop();
  await publishPart(2);
  await gateway.statusWhen(
    "the connection is refused",
    ({ sync }) => sync.lastError?.message.includes("ECONNREFUSED") === true,
  );
  expect(await gateway.stop(), "a lake that is away does not hold up a stop").toMatchObject({ code: 0 });
  const again = await away.startGateway();
  await publishPart(3);
  const waiting = await again.statusWhen("it is noticed again", ({ sync }) => sync.lake === "away");
  expect(waiting.sync.delivered.rows).toBe(0);

  const second = await startObjectStore({ dir, port });
  onTestFinished(() => second.stop());
  await publishPart(4);
  const status = await again.drained();
  expect(status).toMatchObject({ healthy: true, sync: { lake: "reached", divergedBatches: 0 } });
  expect(publisher.stats()).toMatchObject({ acknowledged: 5 * PART, reconnects: 1 });
  expect(await away.commitAndAsk(COUNT_NUMBERED)).toEqual([countedOnce(5 * PART)]);
}, 60_000);

test("a lake that refuses the gateway's key is told by the health page at once, with the reason", async () => {
  const store = await startObjectStore();
  onTestFinished(() => store.stop());
  const site = await Site.make({ lake: { ...s3Lake(store), secretAccessKey: "wrong" } });
  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  await publishAll(publisher, numbered(0, 10, Math.floor(systemClock.nowUs() / 1_000) - 1_000));
  await gateway.statusWhen("the refusal is noticed", ({ sync }) => sync.lake === "away");
  const { code, problems } = await gateway.getHealth();
  expect(code).toBe(503);
  expect(problems.join()).toMatch(/the lake refuses what is sent: .*(key|credentials|signature)/i);
  expect(problems.join(), "no secret is shown").not.toContain("wrong");
}, 30_000);

test("a lake that is not there is told by the health page before the first reading comes", async () => {
  const site = await Site.make({ lake: { kind: "folder", path: "missing/lake" } });
  const gateway = await site.startGateway();
  const status = await gateway.statusWhen("it is noticed", ({ healthy }) => !healthy);
  expect(status.problems).toEqual([expect.stringMatching(/missing\/lake.*Make the folder/)]);
  // Once somebody has made the folder, it works without a restart.
  await mkdir(join(site.dir, "missing"));
  await gateway.statusWhen("it is well again", ({ healthy }) => healthy);
}, 30_000);
