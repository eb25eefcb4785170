// Goal: a device that breaks its contract is kept from features while it does, its data is stored all the same, and
// whoever looks at the gateway or the lake is told. Method: a real client, a gateway that is started again while the
// breaker is open, and the features recomputed from the lake.
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { expect, test } from "vitest";
import { run } from "./programs.ts";
import { connectPublisher, publishAll, Site } from "./site.ts";

const CONTRACT = {
  deviceType: "pump",
  metrics: { n: { min: 0 }, flow: { unit: "m3/h", sentUnit: "L/min" }, running: { type: "boolean" } },
  breaker: { windowReadings: 40, violationShareMax: 0.2 },
};

const ROUTES = [
  {
    topic: "plant/{device}/telemetry",
    deviceType: "pump",
    payload: { format: "json", time: { path: "ts", unit: "ms" } },
  },
];

test("a pump that sends nonsense is stored but kept from features until it is good again, across a restart", async () => {
  const site = await Site.make({ decode: { routes: ROUTES, contracts: [CONTRACT] } });
  const startMs = Math.floor(systemClock.nowUs() / 1_000) - 60_000;
  const messages = (device: string, from: number, to: number, isBad: (n: number) => boolean) =>
    Array.from({ length: to - from }, (_, i) => {
      const n = from + i;
      const payload = { ts: startMs + n * 50, n: isBad(n) ? -1 : n, flow: 60, running: true };
      return [`plant/${device}/telemetry`, JSON.stringify(payload)] as const;
    });
  const never = (): boolean => false;

  const first = await site.startGateway();
  const publisher = await connectPublisher(first);
  await publishAll(publisher, [...messages("pump-1", 0, 100, never), ...messages("pump-2", 0, 100, never)]);
  await publishAll(
    publisher,
    messages("pump-1", 100, 160, () => true),
  );
  const { contracts } = await first.statusWhen(
    "the breaker is open",
    (status) => status.contracts.openCount === 1,
  );
  expect(contracts.open).toMatchObject([{ device: "pump-1", deviceType: "pump" }]);
  await first.drained();
  const shown = await run("gateway", "status", "--config", site.gatewayFile);
  expect(shown.stdout).toMatch(
    /^breakers +1 open: pump-1 \(33 % violations\), \d+ readings withheld so far$/m,
  );
  await publisher.stop();
  expect((await first.stop()).code).toBe(0);

  const second = await site.startGateway();
  const again = await connectPublisher(second);
  await publishAll(again, [...messages("pump-2", 100, 240, never), ...messages("pump-1", 160, 240, never)]);
  const { counters } = await second.statusWhen("it is closed", (status) => status.contracts.openCount === 0);
  expect(counters).toMatchObject({
    "breakers.opened": 1,
    "breakers.closed": 1,
    "quarantine.value.out_of_range": 60,
  });
  await second.drained();
  const withheld = (
    await second.statusWhen("all is decoded", (status) => status.counters["messages"] === 480)
  ).counters["withheld"];
  await second.stop();

  expect(
    await site.commitAndAsk("select kind, device from events where kind like 'breaker.%' order by seq"),
  ).toEqual([
    { kind: "breaker.opened", device: "pump-1" },
    { kind: "breaker.closed", device: "pump-1" },
  ]);
  expect(
    await site.ask("select device, count(*) as rows from readings where withheld group by device"),
  ).toEqual([{ device: "pump-1", rows: withheld }]);
  // 480 messages of three values, 60 of which were refused; the flow in the contract's unit.
  expect(await site.ask("select count(*) as rows from readings")).toEqual([{ rows: 1_380 }]);
  expect(
    await site.ask("select distinct metric, unit, value from readings where metric <> 'n' order by metric"),
  ).toEqual([
    { metric: "flow", unit: "m3/h", value: 3.6 },
    { metric: "running", unit: null, value: 1 },
  ]);
  const [verified] = await site.verifyFeatures();
  expect(verified?.vectors).toBeGreaterThan(10);
  expect(verified?.equal).toBe(verified?.vectors);
}, 120_000);
