import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodeGroup, GroupWriter, messageBytes } from "../../../edge/buffer/message-group.ts";
import { codeOf, groupOf, messageOf } from "./fixtures.ts";

const messages: fc.Arbitrary<IncomingMessage[]> = fc.array(
  fc.record({
    client: fc.string({ unit: "binary", maxLength: 30 }),
    packetId: fc.integer({ min: 0, max: 65_535 }),
    qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
    dup: fc.boolean(),
    retain: fc.boolean(),
    topic: fc.string({ unit: "binary", maxLength: 60 }),
    payload: fc.uint8Array({ maxLength: 300 }),
    receivedAtUs: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  }),
  { maxLength: 40 },
);

test("a group gives back its messages, every character and byte of them", () => {
  fc.assert(
    fc.property(messages, (written) => {
      const read = decodeGroup(groupOf(written));
      expect(read.map((message) => ({ ...message, payload: [...message.payload] }))).toEqual(
        written.map((message) => ({ ...message, payload: [...message.payload] })),
      );
    }),
    { examples: [[[messageOf("x", { topic: "\uFEFFplant/a", client: "\uFEFFpump" })]]] },
  );
});

test("a writer goes on after a group was taken, and after it has grown", () => {
  const writer = new GroupWriter();
  for (let round = 0; round < 3; round++) {
    writer.append(messageOf("x".repeat(100_000 * (round + 1))));
    expect(writer.byteLength).toBeLessThanOrEqual(8 + messageBytes(messageOf("x".repeat(300_000))));
    expect(decodeGroup(new Uint8Array(writer.take()))[0]?.payload.length).toBe(100_000 * (round + 1));
    expect(writer.count).toBe(0);
  }
});

test("more names than a writer remembers are written as they are", () => {
  const names = Array.from({ length: 5_000 }, (_, i) => `ü-${i % 2_500}`);
  const read = decodeGroup(
    groupOf(names.map((name) => messageOf("x", { client: name, topic: `t/${name}` }))),
  );
  expect(read.map(({ client, topic }) => `${client} ${topic}`)).toEqual(
    names.map((name) => `${name} t/${name}`),
  );
});

test("a client id or topic that is too long is refused, and the messages around it stay whole", () => {
  const writer = new GroupWriter();
  writer.append(messageOf("before"));
  const refused = [
    messageOf("x", { topic: "t".repeat(65_536) }),
    messageOf("x", { client: "ü".repeat(40_000) }),
    messageOf("x", { topic: "t".repeat(500_000_000) }),
  ];
  for (const message of refused) expect(codeOf(() => writer.append(message))).toBe("buffer.message_invalid");
  writer.append(messageOf("after", { topic: "t".repeat(65_535) }));
  expect(decodeGroup(new Uint8Array(writer.take())).map(({ payload }) => payload.length)).toEqual([6, 5]);
});

test("torn and altered bytes give a clear error or messages of the right shape, at once", () => {
  fc.assert(
    fc.property(
      messages,
      fc.nat(),
      fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { maxLength: 4 }),
      (written, length, flips) => {
        const bytes = groupOf(written).slice();
        for (const { at, byte } of flips) bytes[at % bytes.length] = byte;
        const torn = bytes.subarray(0, bytes.length - (length % bytes.length));
        const outcome = codeOf(() => decodeGroup(torn));
        const isOnlyTorn = flips.length === 0 && torn.length < bytes.length;
        expect([isOnlyTorn ? "" : "nothing was thrown", "buffer.group_damaged"]).toContain(outcome);
      },
    ),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(["nothing was thrown", "buffer.group_damaged"]).toContain(codeOf(() => decodeGroup(bytes)));
    }),
  );
});

test("a count that no group of this size can have is refused before memory is taken for it", () => {
  const bytes = groupOf([messageOf("x")]).slice();
  new DataView(bytes.buffer).setUint32(4, 0xffffffff, true);
  expect(codeOf(() => decodeGroup(bytes))).toBe("buffer.group_damaged");
});
