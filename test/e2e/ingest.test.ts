import { connectAsync } from "mqtt";
import { LABEL_TOPIC } from "@sluice/shared/contract/topic.ts";
import type { QuarantineReason } from "@sluice/shared/contract/quarantine.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { expect, test } from "vitest";
import { connectPublisher, publishAll, Site } from "./site.ts";

const GOOD = 1_000;
const PAYLOAD_BYTES_MAX = 20_000;
const PACKET_BYTES_MAX = 65_536;

/** Messages that must not get through, by the reason that the quarantine must give. */
function badMessages(nowMs: number): Readonly<Record<string, readonly (readonly [string, string])[]>> {
  const telemetry = "plant/pump-1/telemetry";
  const reading = (fields: object): string => JSON.stringify({ ts: nowMs, ...fields });
  const messages: Partial<Record<QuarantineReason, readonly (readonly [string, string])[]>> = {
    "payload.malformed": [
      [telemetry, "{"],
      [telemetry, "\u0000\u0001 not json"],
      [telemetry, `{"ts":${nowMs},"n":NaN}`],
      [telemetry, `{"ts":${nowMs},"n":1`],
      ["plant/pump-1/values/n", "twelve"],
    ],
    "payload.empty": [
      [telemetry, ""],
      ["plant/pump-1/values/n", ""],
    ],
    "payload.too_large": [[telemetry, reading({ n: 1, filler: "x".repeat(PAYLOAD_BYTES_MAX) })]],
    "value.wrong_type": [
      [telemetry, reading({ n: "1" })],
      [telemetry, reading({ n: true })],
      [telemetry, reading({ n: null })],
    ],
    "value.not_finite": [
      ["plant/pump-1/values/n", "NaN"],
      ["plant/pump-1/values/n", "-Infinity"],
      [telemetry, `{"ts":${nowMs},"n":1e999}`],
    ],
    "value.out_of_range": [[telemetry, reading({ n: -1 })]],
    "time.future": [[telemetry, JSON.stringify({ ts: nowMs + 3_600_000, n: 1 })]],
    "time.too_old": [[telemetry, JSON.stringify({ ts: 0, n: 1 })]],
    "time.invalid": [
      [telemetry, JSON.stringify({ ts: "yesterday", n: 1 })],
      [telemetry, JSON.stringify({ n: 1 })],
    ],
    "route.none": [
      ["elsewhere", reading({ n: 1 })],
      ["plant/pump-1", reading({ n: 1 })],
    ],
    "metric.unknown": [[telemetry, reading({ n: GOOD, nonsense: 1 })]],
    "metric.missing": [[telemetry, reading({})]],
    "label.invalid": [[LABEL_TOPIC, '{"device":"pump-1"}']],
  };
  return messages;
}

// Goal: what is wrong is set aside with its reason, and the next one flows. Method: every kind of bad message, mixed
// at random between good ones, to a gateway that a cloud then reads.
test("bad messages are acknowledged, quarantined with their reasons and counted, and every good one gets through", async () => {
  const site = await Site.make({
    ingest: { packetBytesMax: PACKET_BYTES_MAX },
    decode: {
      payloadBytesMax: PAYLOAD_BYTES_MAX,
      contracts: [
        { deviceType: "pump", metrics: { n: { min: 0, required: true } }, unknownMetrics: "quarantine" },
      ],
    },
  });
  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  const nowMs = Math.floor(systemClock.nowUs() / 1_000);
  const random = seededRandom(3);
  const bad = badMessages(nowMs);
  const messages: (readonly [string, string])[] = Array.from({ length: GOOD }, (_, n) => [
    "plant/pump-1/telemetry",
    JSON.stringify({ ts: nowMs - GOOD + n, n }),
  ]);
  for (const message of Object.values(bad).flat()) messages.splice(random.int(messages.length), 0, message);
  await publishAll(publisher, messages);
  expect(publisher.stats()).toMatchObject({ acknowledged: messages.length, reconnects: 0, resent: 0 });

  const expected = Object.fromEntries(Object.entries(bad).map(([reason, list]) => [reason, list.length]));
  const total = Object.values(expected).reduce((sum, count) => sum + count, 0);
  const { counters } = await gateway.drained();
  // The message with an unknown metric carries a good value as well.
  expect(counters).toMatchObject({ messages: messages.length, readings: GOOD + 1, quarantined: total });
  for (const [reason, count] of Object.entries(expected))
    expect.soft({ reason, count: counters[`quarantine.${reason}`] }).toEqual({ reason, count });

  const rows = await site.commitAndAsk("select reason, count(*) as count from quarantine group by 1");
  expect(Object.fromEntries(rows.map(({ reason, count }) => [reason, count]))).toEqual(expected);
  expect(
    await site.ask(
      "select count(*) as rows, count(distinct value) as numbers, sum(value)::bigint as total from readings",
    ),
  ).toEqual([{ rows: GOOD + 1, numbers: GOOD + 1, total: (GOOD * (GOOD + 1)) / 2 }]);
  const [large] = await site.ask(
    "select payload_bytes, octet_length(payload) as kept, detail from quarantine where reason = 'payload.too_large'",
  );
  expect(large).toMatchObject({ kept: 4_096, detail: expect.stringContaining(String(PAYLOAD_BYTES_MAX)) });
  expect(large?.["payload_bytes"]).toBeGreaterThan(PAYLOAD_BYTES_MAX);
}, 60_000);

test("a packet over the limit closes its connection and is counted, and others go on", async () => {
  const site = await Site.make({ ingest: { packetBytesMax: PACKET_BYTES_MAX } });
  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  const culprit = await connectAsync(gateway.url, { reconnectPeriod: 0, clientId: "culprit" });
  const closed = new Promise<void>((resolve) => culprit.once("close", () => resolve()));
  culprit.on("error", () => undefined); // The reset, where it comes before the end of the stream.
  let acknowledged = false;
  culprit.publish("plant/pump-1/telemetry", "x".repeat(PACKET_BYTES_MAX + 1), { qos: 1 }, (error) => {
    acknowledged = error === undefined || error === null;
  });
  await closed;
  await culprit.endAsync(true);
  expect(acknowledged).toBe(false);
  await publisher.publish("plant/pump-1/values/n", "1");
  const status = await gateway.statusWhen(
    "the reading is decoded",
    ({ counters }) => counters["readings"] === 1,
  );
  expect(status.ingest[0]?.refused).toMatchObject({ "packet.too_large": 1 });
  expect(status.counters).toEqual({ messages: 1, readings: 1 });
  expect(gateway.stderr).toContain("ingest.packetBytesMax");
}, 30_000);
