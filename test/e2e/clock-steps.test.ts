// Goal: whatever is done to the gateway's clock, the lake knows when each message came, and has the devices' own times
// as they were sent. Method: a real gateway whose wall clock steps by hours, forward and back, before, while and between
// it runs (faulty-machine.c); two devices, one with a clock; sluice-cloud commits and answers. The test's own clock is
// the right one, and the gateway's agrees with it in the end.
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { assert, present } from "@sluice/shared/runtime/assert.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { Publisher } from "@sluice/simulators/fleet/publisher.ts";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { killAll, type Program, until } from "../crash/programs.ts";
import { Site } from "../crash/site.ts";

const HOUR_MS = 3_600_000;
/** A step is measured between two groups, and the clocks are read one after the other. */
const TOLERANCE_US = 100_000;
const PER_PHASE = 8;

const ROUTES = [
  { topic: "plant/{device}/values/{metric}", deviceType: "pump", payload: { format: "number" } },
  {
    topic: "plant/{device}/telemetry",
    deviceType: "pump",
    payload: { format: "json", time: { path: "ts", unit: "ms" }, metrics: { n: "n" } },
  },
];

/** What a clock that is right said around a message. */
interface Sent {
  readonly fromUs: number;
  readonly throughUs: number;
  /** What the device said of the time; undefined for the one without a clock. */
  readonly measuredAtUs: number | undefined;
}

afterAll(killAll);

async function openSite(): Promise<Site> {
  const decode = { routes: ROUTES, futureSkewMs: 24 * HOUR_MS };
  const site = await Site.make({ change: { decode, features: { views: [] } } });
  onTestFinished(() => site.remove());
  return site;
}

async function startPublisher(site: Site): Promise<Publisher> {
  const publisher = new Publisher({
    broker: `mqtt://${site.mqtt}`,
    clientId: "plant",
    clock: systemClock,
    random: seededRandom(3),
    brokerWaitMs: 30_000,
  });
  onTestFinished(() => publisher.stop());
  await publisher.start();
  return publisher;
}

/** Publishes reading after reading, from both devices, each when the one before is acknowledged. */
async function publishPhase(publisher: Publisher, sent: Sent[]): Promise<void> {
  for (let i = 0; i < 2 * PER_PHASE; i++) {
    const n = sent.length;
    const fromUs = systemClock.nowUs();
    const ts = Math.floor(fromUs / 1_000) - 5_000;
    const hasClock = i % 2 === 1;
    await (hasClock
      ? publisher.publish("plant/meter/telemetry", JSON.stringify({ ts, n }))
      : publisher.publish("plant/plc/values/n", String(n)));
    sent.push({ fromUs, throughUs: systemClock.nowUs(), measuredAtUs: hasClock ? ts * 1_000 : undefined });
  }
}

async function start(site: Site): Promise<Program> {
  const gateway = site.start({ clock: true });
  assert((await gateway.firstLine()) !== undefined, `the gateway starts: ${gateway.printed.stderr}`);
  return gateway;
}

const READINGS = (table: string): string =>
  `SELECT "value"::INTEGER AS n, device, clock, epoch_us(received_at)::VARCHAR AS received,
     epoch_us(measured_at)::VARCHAR AS measured FROM ${table} WHERE metric = 'n' ORDER BY n`;

test("a gateway whose clock steps by hours has every message in the lake at its right time", async (context) => {
  const site = await openSite();
  const { machine } = site;
  if (machine === undefined)
    return context.skip("NO C COMPILER: steps of the clock were not tested; install cc to test them");
  const sent: Sent[] = [];
  machine.stepClock(3 * HOUR_MS); // Hours ahead from the start on, …
  let gateway = await start(site);
  const publisher = await startPublisher(site);
  await publishPhase(publisher, sent);
  machine.stepClock(-2 * HOUR_MS); // … set back by five hours, …
  await publishPhase(publisher, sent);
  machine.stepClock(0); // … and right in the end.
  await publishPhase(publisher, sent);
  await gateway.kill();
  machine.stepClock(-4 * HOUR_MS); // The next boot begins behind what the one before has stored,
  gateway = await start(site);
  await publishPhase(publisher, sent);
  await until("the status says that the clock is wrong", async () =>
    (await site.getStatus()).problems.some((problem) => problem.includes("the gateway's clock is wrong")),
  );
  machine.stepClock(0); // and is set.
  await publishPhase(publisher, sent);
  const status = await site.drained(gateway);
  expect(status.problems).toEqual([]);
  expect(status.counters).toMatchObject({ "clock.steps": 3, readings: sent.length });
  gateway.signal("SIGTERM");
  expect(await gateway.ended).toMatchObject({ code: 0 });
  await site.commit();

  const steps = await site.ask(
    `SELECT json_extract(facts, '$.stepUs')::BIGINT / 1e6 AS step_s, from_offset::INTEGER AS "from",
       through_offset::INTEGER AS "through" FROM events WHERE kind = 'clock.stepped' ORDER BY seq`,
  );
  const boot = 3 * 2 * PER_PHASE; // Messages of the first boot.
  expect(steps.map(({ from, through }) => [from, through])).toEqual([
    [0, 2 * PER_PHASE - 1],
    [0, 4 * PER_PHASE - 1],
    [boot, boot + 2 * PER_PHASE - 1],
  ]);
  for (const [i, hours] of [-5, 2, 4].entries())
    expect(Math.abs(Number(steps[i]?.["step_s"]) - hours * 3_600)).toBeLessThan(TOLERANCE_US / 1e6);

  const [stored, corrected] = [
    await site.ask(READINGS("readings")),
    await site.ask(READINGS("readings_corrected")),
  ];
  const aheadHours = [3, -2, 0, -4, 0];
  expect(corrected.map(({ n }) => n)).toEqual(sent.map((_, n) => n));
  for (const [n, { fromUs, throughUs, measuredAtUs }] of sent.entries()) {
    const phase = Math.floor(n / (2 * PER_PHASE));
    const [was, is] = [present(stored[n], `reading ${n}`), present(corrected[n], `reading ${n}`)];
    // Stored as the gateway's clock said, and never changed; corrected to what a right clock said.
    const aheadUs = present(aheadHours[phase], "a phase has its hours") * HOUR_MS * 1_000;
    expect(Number(was["received"]) - aheadUs, `reading ${n} as stored`).toBeGreaterThan(
      fromUs - TOLERANCE_US,
    );
    expect(Number(was["received"]) - aheadUs, `reading ${n} as stored`).toBeLessThan(
      throughUs + TOLERANCE_US,
    );
    expect(Number(is["received"]), `reading ${n} corrected`).toBeGreaterThan(fromUs - TOLERANCE_US);
    expect(Number(is["received"]), `reading ${n} corrected`).toBeLessThan(throughUs + TOLERANCE_US);
    const isUnsure = phase === 3;
    expect([was["device"], was["clock"]], `reading ${n}`).toEqual(
      measuredAtUs === undefined ? ["plc", isUnsure ? "unsure" : "arrival"] : ["meter", "device"],
    );
    expect(was["measured"], `reading ${n}`).toBe(
      measuredAtUs === undefined ? was["received"] : String(measuredAtUs),
    );
    expect(is["measured"], `reading ${n}`).toBe(
      measuredAtUs === undefined ? is["received"] : String(measuredAtUs),
    );
  }
}, 120_000);
