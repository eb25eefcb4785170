import { connect } from "node:net";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import type { Random } from "@sluice/shared/runtime/random.ts";
import { generate, type IPublishPacket, type Packet } from "mqtt-packet";
import { createEmbeddedBroker } from "../../edge/ingest/embedded-broker.ts";
import { PacketReader } from "../../edge/ingest/packet-reader.ts";
import { PublishPackets } from "../../edge/ingest/publish-packet.ts";
import { ingestSettingsSchema } from "../../edge/ingest/settings.ts";
import type { Source } from "../../edge/ingest/source.ts";
import type { FuzzTarget, Outcome } from "./target.ts";

const PACKET_BYTES_MAX = 32_768;

const will = { topic: "plant/state", payload: Buffer.from("gone"), qos: 1 as const, retain: true };

const hello = (more: object = {}): Packet => ({
  cmd: "connect",
  protocolId: "MQTT",
  protocolVersion: 4,
  clientId: "fuzz",
  clean: true,
  keepalive: 10,
  ...more,
});

const publish = (more: Partial<IPublishPacket> = {}): IPublishPacket => ({
  cmd: "publish",
  topic: "plant/pump-1/telemetry",
  payload: '{"vibration":0.1}',
  qos: 1,
  messageId: 1,
  dup: false,
  retain: false,
  ...more,
});

const bytesOf = (...packets: readonly Packet[]): Uint8Array =>
  Buffer.concat(packets.map((packet) => generate(packet)));

/** What clients say from their first byte to their last. */
const seeds: readonly Uint8Array[] = [
  bytesOf(hello(), publish(), publish({ qos: 0 }), publish({ messageId: 2, dup: true }), {
    cmd: "disconnect",
  }),
  bytesOf(hello({ will }), publish({ qos: 2, messageId: 7 }), publish({ messageId: 8 }), {
    cmd: "pubrel",
    messageId: 7,
  }),
  bytesOf(
    hello({ clean: false }),
    { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "plant/+/#", qos: 2 }] },
    publish({ retain: true }),
    publish({ retain: true, payload: "" }),
    { cmd: "unsubscribe", messageId: 2, unsubscriptions: ["plant/+/#"] },
    { cmd: "pingreq" },
  ),
  bytesOf(hello({ protocolId: "MQIsdp", protocolVersion: 3 }), publish({ payload: "x".repeat(300) })),
  bytesOf(
    hello({ username: "u", password: Buffer.from("p") }),
    ...Array.from({ length: 20 }, () => publish()),
  ),
  generate(hello({ protocolVersion: 5 })),
];

/** Chunks as a network may cut them: mostly one, now and then single bytes. */
function cut(bytes: Uint8Array, random: Random): Buffer[] {
  const chunks = [];
  for (let at = 0; at < bytes.length;) {
    const length = random.int(3) === 0 ? 1 + random.int(16) : 1 + random.int(bytes.length);
    chunks.push(Buffer.from(bytes.subarray(at, at + length)));
    at += length;
  }
  return chunks;
}

/** Every packet of a stream, cut as it is, and what became of the stream. */
function readAll(chunks: readonly Buffer[]): {
  readonly packets: string[];
  readonly fault: string | undefined;
} {
  const reader = new PacketReader({ connectBytesMax: PACKET_BYTES_MAX, packetBytesMax: PACKET_BYTES_MAX });
  const publishes = new PublishPackets();
  const packets: string[] = [];
  for (const chunk of chunks) {
    reader.add(chunk);
    while (reader.next()) {
      const first = reader.bytes[reader.start] ?? 0;
      if (reader.end - reader.start > PACKET_BYTES_MAX) throw new Error("a packet over the limit");
      packets.push(reader.bytes.toString("latin1", reader.start, reader.end));
      if (first >> 4 !== 3 || (first & 4) !== 0) continue;
      const fault = publishes.read(reader.bytes, reader, (first & 2) === 0 ? 0 : 1);
      if (fault !== undefined) return { packets, fault };
      const { payloadStart, topic } = publishes;
      if (payloadStart > reader.end || payloadStart < reader.bodyStart) throw new Error("a payload outside");
      if (topic === "" || /[+#\0]/.test(topic)) throw new Error("a topic that is none");
    }
  }
  return { packets, fault: reader.fault?.kind };
}

const streamTarget: FuzzTarget = {
  name: "MQTT packets",
  seeds,
  run: (payload, random) => {
    const cutAnywhere = readAll(cut(payload, random));
    const whole = readAll([Buffer.from(payload)]);
    if (!Buffer.from(payload).toString("latin1").startsWith(whole.packets.join("")))
      throw new Error("packets that were not sent");
    if (JSON.stringify(cutAnywhere) !== JSON.stringify(whole))
      throw new Error("it matters where chunks are cut");
    return whole.fault === undefined ? "accepted" : "refused";
  },
};

let started: Promise<Source> | undefined;

/** A broker that takes everything and keeps nothing; the thread's end is its end. */
async function startBroker(): Promise<Source> {
  const settings = ingestSettingsSchema.parse({ broker: { port: 0 }, packetBytesMax: PACKET_BYTES_MAX });
  const sink = {
    put: (_: unknown, settled: (error: undefined) => void) => void setImmediate(settled, undefined),
  };
  const broker = createEmbeddedBroker({ settings, sink, clock: systemClock, log: silentLog });
  await broker.start();
  return broker;
}

async function stopBroker(): Promise<void> {
  await (await started)?.stop();
  started = undefined;
}

const refusals = (broker: Source): number =>
  Object.values(broker.stats().refused).reduce((sum, count) => sum + count, 0);

/** Sends the stream over a connection of its own; the broker must have closed it when the client has said all. */
async function converse(payload: Uint8Array, random: Random): Promise<Outcome> {
  started ??= startBroker();
  const broker = await started;
  const before = refusals(broker);
  const socket = connect({ host: "127.0.0.1", port: Number(broker.address.split(":")[1]), noDelay: true });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => undefined); // A reset is a way to be closed.
  socket.resume();
  for (const chunk of cut(payload, random).slice(0, 8)) socket.write(chunk);
  socket.end();
  await closed;
  return refusals(broker) > before ? "refused" : "accepted";
}

/** What reads the bytes of MQTT clients. */
export const mqttTargets: readonly FuzzTarget[] = [
  streamTarget,
  { name: "MQTT connections", seeds, run: converse, close: stopBroker },
];
