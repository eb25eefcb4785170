import { expect, test } from "vitest";
import { run } from "./programs.ts";
import { connectPublisher, publishAll, Site } from "./site.ts";

const contract = (max: number) => ({
  contracts: [{ deviceType: "pump", metrics: { n: { max } }, unknownMetrics: "accept" }],
});

const ROUTES = [
  {
    topic: "plant/{device}/telemetry",
    deviceType: "pump",
    payload: { format: "json", time: { path: "ts", unit: "ms" } },
  },
];

test("what was refused is listed, shown, and decoded again after the contract is mended, each value once", async () => {
  const site = await Site.make({ decode: { routes: ROUTES, ...contract(10) } });
  let gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  const ts = Date.now();
  const payloads = [
    { ts, n: 50, flow: 1 },
    { ts: ts + 1, n: 5, flow: 2 },
    "not json",
    { ts: ts + 2, n: 60, flow: 3 },
  ];
  await publishAll(publisher, [
    ...payloads.map(
      (payload) =>
        ["plant/p1/telemetry", typeof payload === "string" ? payload : JSON.stringify(payload)] as const,
    ),
    ["hall/p2/telemetry", JSON.stringify({ ts, n: 1 })],
  ]);
  expect((await gateway.drained()).counters).toMatchObject({ readings: 4, quarantined: 4 });

  const listed = await run("gateway", "quarantine", "ls", "--config", site.gatewayFile, "--json");
  expect(JSON.parse(listed.stdout)).toMatchObject([
    { reason: "value.out_of_range", topic: "plant/p1/telemetry", messages: 2, offset: 3 },
    { reason: "payload.malformed", messages: 1, offset: 2 },
    { reason: "route.none", topic: "hall/p2/telemetry", messages: 1, offset: 4 },
  ]);
  const shown = await run("gateway", "quarantine", "show", "0", "--config", site.gatewayFile);
  expect(shown.stdout).toContain('The metric "n" is 50');
  expect(shown.stdout).toContain(JSON.stringify(payloads[0]));
  expect(await run("gateway", "quarantine", "show", "1", "--config", site.gatewayFile)).toMatchObject({
    code: 1,
  });
  expect(await run("gateway", "quarantine", "release", "--config", site.gatewayFile)).toMatchObject({
    code: 2,
  });

  await gateway.stop();
  await site.change({ decode: { routes: ROUTES, ...contract(100) } });
  const released = await run("gateway", "quarantine", "release", "--all", "--config", site.gatewayFile);
  expect(released).toMatchObject({ code: 0, stdout: "4 messages are decoded again\n" });
  gateway = await site.startGateway();
  await gateway.statusWhen(
    "the released ones are decoded",
    ({ counters }) => (counters["messages"] ?? 0) >= 9,
  );
  expect((await gateway.drained()).counters).toMatchObject({ readings: 6, quarantined: 6 });
  expect(
    await site.commitAndAsk(
      "select metric, value, epoch_ms(measured_at) as ms from readings order by ms, metric",
    ),
  ).toEqual([
    { metric: "flow", value: 1, ms: ts },
    { metric: "n", value: 50, ms: ts },
    { metric: "flow", value: 2, ms: ts + 1 },
    { metric: "n", value: 5, ms: ts + 1 },
    { metric: "flow", value: 3, ms: ts + 2 },
    { metric: "n", value: 60, ms: ts + 2 },
  ]);
  const left = await run("gateway", "quarantine", "ls", "--config", site.gatewayFile, "--json");
  expect(JSON.parse(left.stdout)).toMatchObject([
    { reason: "payload.malformed", messages: 1, topic: "plant/p1/telemetry" },
    { reason: "route.none", messages: 1, topic: "hall/p2/telemetry" },
  ]);
}, 90_000);
