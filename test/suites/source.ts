import type { MqttClient } from "mqtt";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Source } from "../../edge/ingest/source.ts";
import { connectMqtt, OrderedSink, subscribeOnce } from "./source-harness.ts";

export interface OpenedSource {
  readonly source: Source;
  /** Where other clients meet the source: its own broker, or the one that it subscribes to. */
  readonly broker: string;
  /** Publishes below `plant/`; resolves when the source has acknowledged. */
  readonly deliver: (topic: string, payload: Uint8Array, qos: 1 | 2) => Promise<void>;
  readonly close: () => Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Whether a promise is still open after everything that was ready has run, and the network beside it. */
async function isOpen(promise: Promise<unknown>, broker: string): Promise<boolean> {
  let open = true;
  void promise.then(
    () => (open = false),
    () => (open = false),
  );
  const other = await connectMqtt(broker, { clientId: "bystander" });
  await other.endAsync();
  return open;
}

/** What every source must do. `open` starts one that has `stopDeadlineMs` to stop and takes what is below plant/. */
export function sourceSuite(
  name: string,
  open: (sink: OrderedSink, stopDeadlineMs: number) => Promise<OpenedSource>,
): void {
  describe(`source: ${name}`, () => {
    let sink: OrderedSink;
    let opened: OpenedSource;

    beforeEach(async () => {
      sink = new OrderedSink();
      opened = await open(sink, 2_000);
    });

    afterEach(() => opened.close());

    describeAcknowledgement(() => ({ sink, ...opened }));
    describeContents(() => ({ sink, ...opened }));
    describeStop(() => ({ sink, ...opened }), open);
  });
}

type Given = () => OpenedSource & { readonly sink: OrderedSink };

function describeAcknowledgement(given: Given): void {
  test.each([1, 2] as const)(
    "a QoS %i publish is acknowledged when the sink has settled, not before",
    async (qos) => {
      const { sink, source, broker, deliver } = given();
      sink.mode = "hold";
      const delivered = deliver("plant/a", bytes("1"), qos);
      await sink.arrived(1);
      expect(await isOpen(delivered, broker)).toBe(true);
      expect(source.stats().acknowledged).toBe(0);
      sink.commit();
      await delivered;
      expect(source.stats()).toMatchObject({ acknowledged: 1, received: 1, receivedBytes: 1 });
    },
  );

  test.each([1, 2] as const)(
    "a QoS %i publish that the sink refuses is delivered again and then acknowledged",
    async (qos) => {
      const { sink, source, deliver } = given();
      sink.mode = "hold";
      const delivered = deliver("plant/a", bytes("1"), qos);
      await sink.arrived(1);
      const [first] = sink.puts;
      sink.mode = "settle";
      first?.settled(new Error("the disk is full"));
      await delivered;
      expect(sink.texts()).toEqual(["plant/a 1", "plant/a 1"]);
      expect(sink.puts[1]?.message).toMatchObject({ qos, packetId: first?.message.packetId });
      expect(source.stats()).toMatchObject({ acknowledged: 1, refused: { "sink.refused": 1 } });
    },
  );
}

function describeContents(given: Given): void {
  test.each([
    ["an empty payload", "plant/a", new Uint8Array()],
    ["100 kB", "plant/a", Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256)],
    ["bytes that are no text", "plant/a", Uint8Array.of(0, 255, 128, 10, 13)],
    ["a topic with spaces, letters and empty levels", "plant/ü 日本 🙂//x/", bytes("1")],
  ])("%s comes through byte by byte", async (_, topic, payload) => {
    const { sink, deliver } = given();
    await deliver(topic, payload, 1);
    const [put] = sink.puts;
    expect(put?.message).toMatchObject({ topic, qos: 1, dup: false, retain: false });
    expect(put?.message.packetId).toBeGreaterThan(0);
    expect(Buffer.compare(put?.message.payload ?? bytes("?"), payload)).toBe(0);
  });

  test("messages keep their order", async () => {
    const { sink, deliver } = given();
    const texts = Array.from({ length: 200 }, (_, i) => String(i));
    await Promise.all(texts.map((text) => deliver("plant/a", bytes(text), 1)));
    expect(sink.texts()).toEqual(texts.map((text) => `plant/a ${text}`));
  });

  test.each([0, 1] as const)(
    "what the gateway publishes with QoS %i reaches subscribers, not the sink",
    async (qos) => {
      const { sink, source, broker } = given();
      const subscriber = await connectMqtt(broker, { clientId: "panel" });
      const { message } = await subscribeOnce(subscriber, "sluice/site/alerts/#");
      await source.publish("sluice/site/alerts/pump", "hot", { qos, retain: false });
      expect(await message).toBe("sluice/site/alerts/pump hot");
      await subscriber.endAsync();
      expect(sink.puts).toEqual([]);
    },
  );

  test("what the gateway publishes as retained reaches those who subscribe later", async () => {
    const { source, broker } = given();
    await source.publish("sluice/site/state", "up", { qos: 1, retain: true });
    const subscriber = await connectMqtt(broker, { clientId: "panel" });
    const { message } = await subscribeOnce(subscriber, "sluice/site/state");
    expect(await message).toBe("sluice/site/state up");
    await subscriber.endAsync();
  });
}

function describeStop(
  given: Given,
  open: (sink: OrderedSink, stopDeadlineMs: number) => Promise<OpenedSource>,
): void {
  test("a stop waits for what is under way and acknowledges it; a second stop changes nothing", async () => {
    const { sink, source, deliver } = given();
    sink.mode = "hold";
    const delivered = deliver("plant/a", bytes("1"), 1);
    await sink.arrived(1);
    let stopped = false;
    const stopping = source.stop().then(() => (stopped = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(false);
    sink.commit();
    await stopping;
    await delivered;
    await source.stop();
    expect(source.stats().acknowledged).toBe(1);
  });

  test("a stop does not wait for the sink longer than its deadline, and acknowledges nothing unsettled", async () => {
    const sink = new OrderedSink();
    sink.mode = "hold";
    const { source, deliver, close } = await open(sink, 20);
    deliver("plant/a", bytes("1"), 1).catch(() => undefined);
    await sink.arrived(1);
    await source.stop();
    sink.commit(); // Too late: nobody is there to hear of it.
    expect(source.stats().acknowledged).toBe(0);
    await close();
  });

  test("a source that was never started stops, and has counted nothing", async () => {
    const { source } = given();
    await source.stop();
    expect(source.stats()).toMatchObject({ received: 0, acknowledged: 0, refused: {} });
  });
}

/** Ends a client whose broker may already be gone. */
export async function endClient(client: MqttClient): Promise<void> {
  await client.endAsync(true);
}
