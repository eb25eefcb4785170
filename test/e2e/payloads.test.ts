// Goal: binary and stateful payloads get from a real client into the lake. Method: an edge node that speaks Sparkplug
// as an independent encoder writes it, and a sensor that packs SenML, to a gateway that is stopped in between.
import { zstdCompressSync } from "node:zlib";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { encode } from "cborg";
import { connectAsync, type MqttClient } from "mqtt";
import { get } from "sparkplug-payload";
import { expect, onTestFinished, test } from "vitest";
import type { RunningGateway } from "./programs.ts";
import { Site } from "./site.ts";

const tahu = get("spBv1.0");

async function connect(gateway: RunningGateway): Promise<MqttClient> {
  const client = await connectAsync(gateway.url, { clientId: "edge-1" });
  onTestFinished(() => client.endAsync(true));
  return client;
}

/** What the client is told on a topic next. */
const nextMessage = (client: MqttClient): Promise<Buffer> =>
  new Promise((resolve) => void client.once("message", (_, payload) => resolve(payload)));

const ROUTES = [
  { topic: "spBv1.0/#", deviceType: "pump", payload: { format: "sparkplug-b" } },
  {
    topic: "senml/+",
    deviceType: "meter",
    payload: { format: "senml-cbor", name: "{device}/{metric}", compression: "zstd" },
  },
];

test("an edge node is asked for its birth, and after that its aliases are understood, also by a gateway started again", async () => {
  const site = await Site.make({ decode: { routes: ROUTES } });
  const startMs = Math.floor(systemClock.nowUs() / 1_000) - 10_000;
  const data = (seq: number, value: number): Buffer =>
    Buffer.from(
      tahu?.encodePayload({
        timestamp: startMs + seq,
        seq,
        metrics: [{ alias: 1, type: "Int32", value }],
      }) ?? [],
    );
  const first = await site.startGateway();
  const client = await connect(first);
  await client.subscribeAsync("spBv1.0/plant/NCMD/edge-1");
  const asked = nextMessage(client);
  await client.publishAsync("spBv1.0/plant/NDATA/edge-1", data(7, 0), { qos: 1 });
  const request = tahu?.decodePayload(await asked);
  expect(request?.metrics).toMatchObject([{ name: "Node Control/Rebirth", type: "Boolean", value: true }]);
  const birth = tahu?.encodePayload({
    timestamp: startMs,
    seq: 0,
    metrics: [{ name: "flow", alias: 1, type: "Int32", value: -1 }],
  });
  await client.publishAsync("spBv1.0/plant/NBIRTH/edge-1", Buffer.from(birth ?? []), { qos: 1 });
  await client.publishAsync("spBv1.0/plant/NDATA/edge-1", data(1, -2), { qos: 1 });
  await first.drained();
  await client.endAsync();
  expect((await first.stop()).code).toBe(0);

  const second = await site.startGateway();
  const again = await connect(second);
  await again.publishAsync("spBv1.0/plant/NDATA/edge-1", data(2, -3), { qos: 1 });
  const pack = [
    new Map<number, unknown>([
      [-2, "meter-1/"],
      [-3, startMs / 1_000],
      [0, "power"],
      [2, 250.5],
    ]),
    new Map<number, unknown>([
      [0, "on"],
      [4, true],
    ]),
  ];
  await again.publishAsync("senml/a", zstdCompressSync(encode(pack)), { qos: 1 });
  await second.drained();
  await second.stop();
  expect(
    await site.commitAndAsk("select device, metric, value from readings order by device, metric, value"),
  ).toEqual([
    { device: "meter-1", metric: "on", value: 1 },
    { device: "meter-1", metric: "power", value: 250.5 },
    { device: "plant.edge-1", metric: "flow", value: -3 },
    { device: "plant.edge-1", metric: "flow", value: -2 },
    { device: "plant.edge-1", metric: "flow", value: -1 },
  ]);
  expect(await site.ask("select reason, detail from quarantine")).toEqual([
    { reason: "metric.unknown", detail: 'There is data of "plant.edge-1", but no birth of it was seen.' },
  ]);
}, 60_000);
