import * as fc from "fast-check";
import { generate } from "mqtt-packet";
import { expect, test } from "vitest";
import { PacketGuard } from "../../../edge/ingest/packet-guard.ts";
import { brokerStarter } from "./started-broker.ts";
import { WireClient } from "./wire-client.ts";

const start = brokerStarter();

/** Cuts bytes into chunks at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

const publish = (payloadBytes: number): Buffer =>
  generate({
    cmd: "publish",
    topic: "a",
    payload: Buffer.alloc(payloadBytes, 0xff),
    qos: 0,
    dup: false,
    retain: false,
  });

const faultOf = (guard: PacketGuard, chunks: readonly Uint8Array[]): ReturnType<PacketGuard["check"]> => {
  let fault;
  for (const chunk of chunks) fault = guard.check(chunk);
  return fault;
};

test("packets up to the limit pass and the first longer one is found, wherever the bytes are cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      fc.integer({ min: 50, max: 3_000 }),
      (sizes, places, packetBytesMax) => {
        const packets = sizes.map(publish);
        const tooLong = packets.find((packet) => packet.length > packetBytesMax);
        expect(faultOf(new PacketGuard(packetBytesMax), cut(Buffer.concat(packets), places))).toEqual(
          tooLong === undefined ? undefined : { kind: "too_large", bytes: tooLong.length },
        );
      },
    ),
  );
});

test.each([0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])(
  "the length of a packet with %i bytes of body is read as MQTT writes it",
  (body) => {
    const header = publish(body - 3 < 0 ? 0 : body - 3).subarray(0, 5);
    const bytes = body < 3 ? 5 : publish(body - 3).length;
    expect(new PacketGuard(bytes).check(header)).toBeUndefined();
    expect(new PacketGuard(bytes - 1).check(header)).toEqual({ kind: "too_large", bytes });
  },
);

test("a remaining length of five bytes is malformed", () => {
  const guard = new PacketGuard(Number.MAX_SAFE_INTEGER);
  expect(guard.check(Uint8Array.of(0x30, 0x80, 0x80, 0x80))).toBeUndefined();
  expect(guard.check(Uint8Array.of(0x80))).toEqual({ kind: "malformed" });
  expect(guard.check(Uint8Array.of(0x30, 0))).toEqual({ kind: "malformed" });
});

test("no bytes make the guard fail or change with how they are cut", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat(), { maxLength: 10 }), (bytes, places) => {
      expect(faultOf(new PacketGuard(100), cut(bytes, places))).toEqual(new PacketGuard(100).check(bytes));
    }),
  );
});

test("a broker that is sent damaged packets goes on serving", async () => {
  const { broker, open } = await start({ connectTimeoutMs: 100 });
  const connect = generate({
    cmd: "connect",
    protocolId: "MQTT",
    protocolVersion: 4,
    clientId: "fuzz",
    clean: true,
    keepalive: 0,
  });
  const subscribe = generate({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "#", qos: 1 }] });
  const whole = Buffer.concat([connect, subscribe, publish(40), publish(0)]);
  const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), {
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 20, maxLength: 20 }), async (all) => {
      for (const damaged of all) {
        const bytes = Buffer.from(whole);
        for (const [at, byte] of damaged) bytes[at] = byte;
        const client = new WireClient(broker.address);
        client.sendBytes(bytes);
        client.send({ cmd: "disconnect" });
        setImmediate(() => setImmediate(() => client.destroy()));
        await client.closed;
      }
    }),
    { numRuns: 10 },
  );
  const client = await open({ clientId: "healthy" });
  client.publish("a", "1");
  expect(await client.next("puback")).toMatchObject({ messageId: 1 });
});
