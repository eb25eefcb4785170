import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { connectAsync, type IPublishPacket } from "mqtt";
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createBrokerClient } from "../../../edge/ingest/broker-client.ts";
import { ingestSettingsSchema } from "../../../edge/ingest/settings.ts";
import type { Source } from "../../../edge/ingest/source.ts";
import { connectMqtt, OrderedSink } from "../../suites/source-harness.ts";
import { isMosquittoInstalled, Mosquitto } from "./mosquitto-process.ts";

// Goal: the client works with a broker that is not built on the same libraries. Method: mosquitto as a process, where
// it is installed (Debian package mosquitto).

if (!isMosquittoInstalled)
  console.warn("SKIPPED: no mosquitto on this machine, so the client was tried with aedes alone");

let dir = "";
let mosquitto: Mosquitto;
let address = "";
let sources: Source[] = [];

beforeAll(async () => {
  if (!isMosquittoInstalled) return;
  dir = mkdtempSync(join(tmpdir(), "sluice-mosquitto-"));
  mosquitto = await Mosquitto.start(dir);
  address = `127.0.0.1:${mosquitto.port}`;
});

afterEach(async () => {
  for (const source of sources) await source.stop();
  sources = [];
});

afterAll(async () => {
  if (!isMosquittoInstalled) return;
  await mosquitto.end();
  rmSync(dir, { recursive: true });
});

async function startSource(
  settings: object,
  rest: { readonly requestTopic?: string } = {},
): Promise<{ source: Source; sink: OrderedSink }> {
  const sink = new OrderedSink();
  const client = { url: `mqtt://${address}`, clientId: "gateway", reconnectBaseMs: 10, ...settings };
  const source = createBrokerClient({
    settings: ingestSettingsSchema.parse({ client, stopDeadlineMs: 20 }),
    sink,
    clock: systemClock,
    log: silentLog,
    ...rest,
  });
  sources.push(source);
  await source.start();
  return { source, sink };
}

async function publishAll(topic: string, count: number, qos: 1 | 2 = 1): Promise<void> {
  const device = await connectMqtt(address);
  await Promise.all(Array.from({ length: count }, (_, i) => device.publishAsync(topic, String(i), { qos })));
  await device.endAsync();
}

describe.skipIf(!isMosquittoInstalled)("with mosquitto", () => {
  test.each([4, 5])(
    "messages are taken together and acknowledged after one commit (protocol %i)",
    async (version) => {
      const topic = `together/${version}`;
      const { source, sink } = await startSource({
        clientId: `together-${version}`,
        topics: [topic],
        protocolVersion: version,
      });
      sink.mode = "hold";
      await publishAll(topic, 300);
      await sink.arrived(300);
      expect(source.stats().acknowledged).toBe(0);
      sink.commit();
      await expect.poll(() => source.stats().acknowledged).toBe(300);
    },
  );

  test.each([4, 5])(
    "what was not acknowledged comes again to the next gateway, marked (protocol %i)",
    async (version) => {
      const settings = {
        clientId: `crash-${version}`,
        topics: [`crash/${version}`],
        protocolVersion: version,
      };
      const dying = await startSource(settings);
      dying.sink.mode = "hold";
      await publishAll(`crash/${version}`, 5);
      await dying.sink.arrived(5);
      for (const { settled } of dying.sink.puts.slice(0, 2)) settled(undefined);
      await expect.poll(() => dying.source.stats().acknowledged).toBe(2);
      await dying.source.stop();
      const { sink } = await startSource(settings);
      await sink.arrived(3);
      expect(sink.texts()).toEqual(["2", "3", "4"].map((text) => `crash/${version} ${text}`));
      expect(sink.puts.map(({ message }) => message.dup)).toEqual([true, true, true]);
    },
  );

  test("a QoS 2 publish comes as QoS 1, because that is what is subscribed to", async () => {
    const { sink } = await startSource({ clientId: "two", topics: ["two/#"] });
    await publishAll("two/a", 3, 2);
    await sink.arrived(3);
    expect(sink.puts.map(({ message }) => message.qos)).toEqual([1, 1, 1]);
  });

  test("gateways in one group split what comes, and each message goes to one of them", async () => {
    const shared = { topics: ["shared/#"], sharedGroup: "collectors" };
    const [one, other] = [
      await startSource({ ...shared, clientId: "one" }),
      await startSource({ ...shared, clientId: "other" }),
    ];
    await publishAll("shared/a", 100);
    await expect.poll(() => one.sink.puts.length + other.sink.puts.length).toBe(100);
    expect(one.sink.puts.length).toBeGreaterThan(0);
    expect(other.sink.puts.length).toBeGreaterThan(0);
    expect(new Set([...one.sink.texts(), ...other.sink.texts()]).size).toBe(100);
  });

  test("what comes while the gateway is away is kept for it", async () => {
    const settings = { clientId: "away", topics: ["away/#"] };
    const { source } = await startSource(settings);
    await source.stop();
    await publishAll("away/a", 20);
    const { sink } = await startSource(settings);
    await sink.arrived(20);
    expect(sink.puts).toHaveLength(20);
  });

  test("a question comes with where its answer goes, and the answer with what belongs to the question (MQTT 5)", async () => {
    const { source, sink } = await startSource(
      { clientId: "asked", topics: ["unused"], protocolVersion: 5 },
      { requestTopic: "sluice/gw/features/get" },
    );
    const asker = await connectAsync(`mqtt://${address}`, { protocolVersion: 5 });
    onTestFinished(() => asker.endAsync(true));
    await asker.subscribeAsync("sluice/gw/features/reply/7");
    const answered = new Promise<IPublishPacket>((resolve) => {
      asker.on("message", (_topic, _payload, packet) => resolve(packet));
    });
    const correlationData = Buffer.from([0, 255, 7]);
    const properties = { responseTopic: "sluice/gw/features/reply/7", correlationData };
    await asker.publishAsync("sluice/gw/features/get", "question", { qos: 1, properties });
    await sink.arrived(1);
    const { response } = sink.puts[0]?.message ?? {};
    expect(response?.topic).toBe("sluice/gw/features/reply/7");
    await source.publish(response?.topic ?? "", "answer", {
      qos: 1,
      retain: false,
      correlation: response?.correlation,
    });
    const packet = await answered;
    expect(packet.payload.toString()).toBe("answer");
    expect(packet.properties?.correlationData).toEqual(correlationData);
  });
});
