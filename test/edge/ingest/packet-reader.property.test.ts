import * as fc from "fast-check";
import { generate, type Packet } from "mqtt-packet";
import { expect, test } from "vitest";
import { PacketReader } from "../../../edge/ingest/packet-reader.ts";

const CONNECT = generate({
  cmd: "connect",
  protocolId: "MQTT",
  protocolVersion: 4,
  clientId: "x",
  clean: true,
  keepalive: 0,
});

const packet: fc.Arbitrary<Packet> = fc.oneof(
  fc.record({
    cmd: fc.constant("publish" as const),
    topic: fc.stringMatching(/^[a-z/]{1,20}$/),
    payload: fc.uint8Array({ maxLength: 5_000 }).map((bytes) => Buffer.from(bytes)),
    qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
    messageId: fc.integer({ min: 1, max: 65_535 }),
    dup: fc.constant(false),
    retain: fc.boolean(),
  }),
  fc.constant({ cmd: "pingreq" as const }),
  fc.record({ cmd: fc.constant("puback" as const), messageId: fc.integer({ min: 1, max: 65_535 }) }),
);

const places = fc.array(fc.nat(), { maxLength: 20 });

function cut(bytes: Uint8Array, at: readonly number[]): Buffer[] {
  const ends = [...at.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => Buffer.from(bytes.subarray(ends[i - 1] ?? 0, end)));
}

/** The packets that a reader finds in chunks, as hexadecimal text, and its fault at the end. */
function read(chunks: readonly Buffer[], packetBytesMax = 1_000_000) {
  const reader = new PacketReader({ connectBytesMax: packetBytesMax, packetBytesMax });
  const packets: string[] = [];
  for (const chunk of chunks) {
    reader.add(chunk);
    while (reader.next()) packets.push(reader.bytes.toString("hex", reader.start, reader.end));
  }
  return { packets, fault: reader.fault };
}

test("the packets of a stream come out whole and in order, wherever it is cut", () => {
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 12 }), places, (packets, at) => {
      const encoded = [CONNECT, ...packets.map((one) => generate(one))];
      expect(read(cut(Buffer.concat(encoded), at))).toEqual({
        packets: encoded.map((one) => one.toString("hex")),
        fault: undefined,
      });
    }),
  );
});

test("a stream may be cut at every byte", () => {
  const publish = generate({
    cmd: "publish",
    topic: "plant/a",
    payload: "x".repeat(300),
    qos: 1,
    messageId: 7,
    dup: false,
    retain: false,
  });
  const whole = Buffer.concat([CONNECT, publish, generate({ cmd: "pingreq" }), publish]);
  const bytes = Array.from(whole, (byte) => Buffer.of(byte));
  expect(read(bytes)).toEqual(read([whole]));
  expect(read(bytes).packets).toHaveLength(4);
});

test("any bytes give the same packets and the same fault however they are cut", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), places, (bytes, at) => {
      const whole = Buffer.concat([CONNECT, bytes]);
      expect(read(cut(whole, at), 100)).toEqual(read([whole], 100));
    }),
  );
});

test("a packet that is too long is found at its header, at the limit it is not", () => {
  const header = Buffer.of(0x30, 0xff, 0x7f); // 16,383 bytes of body.
  expect(read([CONNECT, header], 16_386).fault).toBeUndefined();
  expect(read([CONNECT, header], 16_385).fault).toEqual({ kind: "too_large", bytes: 16_386 });
  for (const byte of [0x80, 0xff])
    expect(read([CONNECT, Buffer.of(0x30, byte, byte, byte, byte)]).fault).toEqual({ kind: "malformed" });
});

test.each([
  ["a first packet that is no CONNECT", [Buffer.of(0x30, 0)]],
  ["a second CONNECT", [CONNECT, CONNECT]],
  ["a PUBLISH of QoS 3", [CONNECT, Buffer.of(0x36, 0)]],
  ["a PUBLISH of QoS 0 with DUP", [CONNECT, Buffer.of(0x38, 0)]],
  ["a SUBSCRIBE with wrong flags", [CONNECT, Buffer.of(0x80, 0)]],
  ["a packet that only a server sends", [CONNECT, Buffer.of(0x90, 0)]],
  ["a reserved type", [CONNECT, Buffer.of(0xf0, 0)]],
])("%s is a fault as soon as its first byte is there", (_, packets) => {
  const whole = Buffer.concat(packets);
  const after = packets.length === 1 ? 0 : CONNECT.length;
  expect(read([whole.subarray(0, after + 1)]).fault).toEqual({ kind: "malformed" });
  expect(read([...cut(whole, [after]), CONNECT]).packets).toHaveLength(packets.length - 1);
});

test("a packet of which little has come takes little memory, however long it says it is", () => {
  const reader = new PacketReader({ connectBytesMax: 1_000, packetBytesMax: 16_777_216 });
  reader.add(Buffer.concat([CONNECT, Buffer.of(0x30, 0xff, 0xff, 0xff, 0x07), Buffer.alloc(100)]));
  expect(reader.next()).toBe(true);
  const before = process.memoryUsage().arrayBuffers;
  expect(reader.next()).toBe(false);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000);
});
