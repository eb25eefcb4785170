// Goal: whoever is beside the machine gets its newest features from the gateway, with status and age, over MQTT and
// HTTP, also with the lake away and right after a crash. Method: a real gateway, clients of two kinds, kill -9.
import type { OnlineAnswer } from "@sluice/shared/contract/online.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { connectAsync, type MqttClient } from "mqtt";
import { expect, onTestFinished, test } from "vitest";
import type { RunningGateway } from "./programs.ts";
import { connectPublisher, GATEWAY, publishAll, SECONDS_VIEW, Site } from "./site.ts";

/** A panel beside the machine: asks over MQTT and waits for the answer with its number. */
class Panel {
  readonly #client: MqttClient;
  #next = 0;

  private constructor(client: MqttClient) {
    this.#client = client;
  }

  static async connect(gateway: RunningGateway): Promise<Panel> {
    const client = await connectAsync(gateway.url, { clientId: "panel-1", reconnectPeriod: 0 });
    onTestFinished(() => client.endAsync(true));
    await client.subscribeAsync(`sluice/${GATEWAY}/features/reply/panel-1`, { qos: 1 });
    return new Panel(client);
  }

  async ask(body: object): Promise<unknown> {
    const id = String(this.#next++);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const listen = (_topic: string, payload: Buffer): void => {
      const answer = JSON.parse(payload.toString());
      if (answer.id !== id) return;
      this.#client.off("message", listen);
      resolve(answer);
    };
    this.#client.on("message", listen);
    await this.#client.publishAsync(`sluice/${GATEWAY}/features/get`, JSON.stringify({ id, ...body }), {
      qos: 1,
    });
    return promise;
  }
}

const fetchFeatures = (gateway: RunningGateway, path: string): Promise<Response> =>
  fetch(`http://${gateway.status}/features/${path}`);

test("the newest features are served over MQTT and HTTP, with age and time to live, and survive a crash", async () => {
  const site = await Site.make({
    features: { views: [SECONDS_VIEW, { ...SECONDS_VIEW, name: "brief", ttlMs: 1_000 }] },
    lake: {
      kind: "s3",
      endpoint: "http://127.0.0.1:9",
      bucket: "away",
      accessKeyId: "a",
      secretAccessKey: "b",
    },
  });
  const startMs = Math.floor(systemClock.nowUs() / 1_000_000) * 1_000 - 20_000;
  const first = await site.startGateway();
  const publisher = await connectPublisher(first);
  await publishAll(
    publisher,
    Array.from({ length: 101 }, (_, i) => [
      "plant/pump-1/telemetry",
      JSON.stringify({ ts: startMs + i * 100, n: i }),
    ]),
  );
  await first.statusWhen("all is decoded", ({ counters }) => counters["messages"] === 101);

  const answer = (await (
    await fetchFeatures(first, "seconds?device=pump-1&device=pump-9")
  ).json()) as OnlineAnswer;
  const expected = {
    device: "pump-1",
    status: "PRESENT",
    windowStart: new Date(startMs + 9_000).toISOString(),
    windowEnd: new Date(startMs + 10_000).toISOString(),
    revision: 0,
    readingCount: 10,
    values: { n_mean: { status: "PRESENT", value: 94.5 }, n_max: { status: "PRESENT", value: 99 } },
  };
  expect(answer).toMatchObject({
    view: "seconds",
    maxAgeMs: 600_000,
    vectors: [expected, { device: "pump-9", status: "NOT_FOUND" }],
  });
  expect(answer.vectors[0]?.ageMs).toBeGreaterThanOrEqual(10_000);

  const panel = await Panel.connect(first);
  expect(await panel.ask({ view: "seconds", devices: ["pump-1"], features: ["n_max"] })).toMatchObject({
    id: "0",
    vectors: [{ status: "PRESENT", values: { n_max: { status: "PRESENT", value: 99 } } }],
  });
  expect(await panel.ask({ view: "brief", devices: ["pump-1"] })).toMatchObject({
    maxAgeMs: 1_000,
    vectors: [{ status: "OUTSIDE_MAX_AGE", values: { n_mean: { status: "OUTSIDE_MAX_AGE" } } }],
  });
  expect(await panel.ask({ view: "minutes", devices: ["pump-1"] })).toMatchObject({
    error: { code: "features.no_such_view", hint: expect.stringContaining("seconds, brief") },
  });
  expect(await panel.ask({ view: "seconds" })).toMatchObject({
    error: { message: expect.stringContaining("devices is missing") },
  });
  expect((await fetchFeatures(first, "seconds")).status).toBe(400);
  const { online, counters } = await first.statusWhen(
    "it has answered",
    (status) => status.online.answered === 2,
  );
  expect(online).toEqual({ answered: 2, refused: 2, unanswerable: 0, misdirected: 0 });
  expect(counters["messages"]).toBe(101); // Questions are not readings.

  await publisher.stop();
  await first.kill();
  const second = await site.startGateway();
  const again = (await (await fetchFeatures(second, "seconds?device=pump-1")).json()) as OnlineAnswer;
  expect(again.vectors).toMatchObject([expected]);
});

test("where nobody sends any more, windows of silent devices close, and the lake computes the same", async () => {
  const view = { ...SECONDS_VIEW, name: "quiet", window: { ...SECONDS_VIEW.window, idleAfterMs: 1_000 } };
  const site = await Site.make({ features: { views: [view] } });
  const first = await site.startGateway();
  const startMs = Math.floor(systemClock.nowUs() / 1_000_000) * 1_000 - 1_000;
  const message = (ts: number, n: number): [string, string] => [
    "plant/pump-1/telemetry",
    JSON.stringify({ ts, n }),
  ];
  await publishAll(await connectPublisher(first), [message(startMs, 1), message(startMs + 10, 2)]);
  await first.statusWhen("the silence has closed the window", ({ features }) =>
    Object.entries(features.counters).some(([name, count]) => name.endsWith(".idle") && count === 1),
  );
  const answer = (await (await fetchFeatures(first, "quiet?device=pump-1")).json()) as OnlineAnswer;
  expect(answer.vectors).toMatchObject([{ status: "PRESENT", closedBy: "idle", readingCount: 2 }]);
  await first.kill();

  // The silence is in the log like all that came: a restart neither forgets nor repeats it.
  const second = await site.startGateway();
  await publishAll(await connectPublisher(second), [message(startMs + 20, 3)]);
  await second.statusWhen(
    "all is in the lake",
    ({ counters, buffer }) =>
      counters["messages"] === 4 && buffer.deliveredThrough === 3 && buffer.outbox.batches === 0,
  );
  await site.cloud("commit");
  const { stdout } = await site.cloud("features verify", "--json");
  expect(JSON.parse(stdout)).toMatchObject([
    { view: "quiet", vectors: 2, equal: 2, different: 0, waiting: 0 },
  ]);
});
