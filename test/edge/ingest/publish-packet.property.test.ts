import * as fc from "fast-check";
import { generate } from "mqtt-packet";
import { expect, test } from "vitest";
import { PacketReader } from "../../../edge/ingest/packet-reader.ts";
import { PublishPackets } from "../../../edge/ingest/publish-packet.ts";

const CONNECT = generate({
  cmd: "connect",
  protocolId: "MQTT",
  protocolVersion: 4,
  clientId: "x",
  clean: true,
  keepalive: 0,
});

/** What a publish says, or what is wrong with it. */
function read(packets: PublishPackets, bytes: Uint8Array) {
  const reader = new PacketReader({ connectBytesMax: 1_000, packetBytesMax: 1_000_000 });
  reader.add(Buffer.concat([CONNECT, bytes]));
  reader.next();
  if (!reader.next()) throw new Error("the packet is not whole");
  const fault = packets.read(reader.bytes, reader, ((reader.bytes[reader.start] ?? 0) & 2) === 2 ? 1 : 0);
  if (fault !== undefined) return fault;
  const { topic, packetId, payloadStart } = packets;
  return { topic, packetId, payload: reader.bytes.toString("hex", payloadStart, reader.end) };
}

const topic = fc
  .string({ unit: "binary", minLength: 1, maxLength: 60 })
  .filter((text) => text.isWellFormed() && !/[+#\0]/.test(text) && text.split("/").length <= 100);

test("a publish says what its sender wrote, also when its topic is known from before", () => {
  const packets = new PublishPackets();
  fc.assert(
    fc.property(
      topic,
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 1, max: 65_535 }),
      fc.constantFrom(0 as const, 1 as const),
      (topic, payload, messageId, qos) => {
        const bytes = generate({
          cmd: "publish",
          topic,
          payload: Buffer.from(payload),
          qos,
          messageId,
          dup: false,
          retain: false,
        });
        const expected = {
          topic,
          packetId: qos === 0 ? 0 : messageId,
          payload: Buffer.from(payload).toString("hex"),
        };
        for (let round = 0; round < 2; round++) expect(read(packets, bytes)).toEqual(expected);
      },
    ),
  );
});

/** A PUBLISH of QoS 1 with packet id 1 and this topic. */
const to = (topic: Uint8Array): Uint8Array =>
  Uint8Array.of(0x32, topic.length + 4, 0, topic.length, ...topic, 0, 1);

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

test.each([
  ["nothing", Uint8Array.of(0x30, 0), "without a topic"],
  ["half a topic length", Uint8Array.of(0x30, 1, 0), "without a topic"],
  ["a topic that is longer than the packet", Uint8Array.of(0x30, 3, 0, 2, 0x61), "shorter than"],
  ["a topic length of 65,535", Uint8Array.of(0x32, 5, 0xff, 0xff, 0x61, 0, 1), "shorter than"],
  ["no packet id", Uint8Array.of(0x32, 3, 0, 1, 0x61), "shorter than"],
  ["half a packet id", Uint8Array.of(0x32, 4, 0, 1, 0x61, 0), "shorter than"],
  ["the packet id 0", Uint8Array.of(0x32, 5, 0, 1, 0x61, 0, 0), "packet id 0"],
  ["an empty topic", to(text("")), "empty topic"],
  ["a wildcard for a level", to(text("plant/+")), "wildcard"],
  ["a wildcard for the rest", to(text("#")), "wildcard"],
  ["U+0000", to(text("a\0b")), "U+0000"],
  ["half a character", to(Uint8Array.of(0x61, 0xc3)), "UTF-8"],
  ["an overlong slash", to(Uint8Array.of(0xc0, 0xaf)), "UTF-8"],
  ["a surrogate", to(Uint8Array.of(0xed, 0xa0, 0x80)), "UTF-8"],
  ["101 levels", to(text("/".repeat(100))), "levels"],
])("a PUBLISH with %s is refused", (_, bytes, fault) => {
  expect(read(new PublishPackets(), bytes)).toContain(fault);
});

test("a byte order mark and 100 levels are part of a topic", () => {
  expect(read(new PublishPackets(), to(text("\uFEFFa")))).toMatchObject({ topic: "\uFEFFa" });
  expect(read(new PublishPackets(), to(text("/".repeat(99))))).toMatchObject({ topic: "/".repeat(99) });
});
