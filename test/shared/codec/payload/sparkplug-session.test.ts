import type { OutgoingMessage } from "@sluice/shared/contract/message.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  born,
  byAlias,
  decodeSparkplug,
  DEVICE_BIRTH,
  kinds,
  Listener,
  message,
  type Metric,
  NODE_BIRTH,
  NOW_MS,
  NOW_US,
  values,
} from "./sparkplug-messages.ts";

test("data before a birth is refused as a whole, and a rebirth is asked for once in ten seconds", () => {
  const listener = new Listener();
  const data = message(5, [byAlias(1, "Int32", 1), byAlias(2, "Int32", 2)]);
  expect(listener.take("g/NDATA/n", data)).toEqual([
    ["refuse", "metric.unknown", 'There is data of "g.n", but no birth of it was seen.'],
    ["request", "spBv1.0/g/NCMD/n"],
  ]);
  expect(kinds(listener.wait(9_999).take("g/DDATA/n/d", data))).toEqual(["refuse"]);
  expect(kinds(listener.take("g/NDATA/other", data))).toEqual(["refuse", "request"]);
  expect(kinds(listener.wait(1).take("g/NDATA/n", data))).toEqual(["refuse", "request"]);
});

test("an alias that is in no birth is refused by itself and a rebirth is asked for", () => {
  const data = message(2, [byAlias(10, "Float", 1), byAlias(99, "Int32", 2), byAlias(11, "Int32", 3)]);
  expect(values(born().take("plant/DDATA/n1/pump", data))).toEqual([
    ["record", NOW_US, "plant.n1.pump"],
    ["value", "flow", 1],
    ["refuse", "metric.unknown", 'The alias 99 is not in the birth of "plant.n1.pump".'],
    ["value", "", undefined],
    ["request", "spBv1.0/plant/NCMD/n1"],
    ["record", NOW_US, "plant.n1.pump"],
    ["value", "steps", 3],
  ]);
});

test("no rebirth is asked for where the settings say so", () => {
  const listener = new Listener({ rebirth: false });
  expect(kinds(listener.take("g/NDATA/n", message(5, [byAlias(1, "Int32", 1)])))).toEqual(["refuse"]);
});

test("the rebirth request is what an independent decoder reads as one", () => {
  let asked: OutgoingMessage | undefined;
  const sink = {
    record() {},
    refuse() {},
    value() {},
    event() {},
    ignore() {},
    request: (message: OutgoingMessage) => (asked = message),
  };
  new Listener().decoder.decode(message(1, []), sink, {
    topic: "spBv1.0/g/NDATA/n",
    metric: undefined,
    receivedAtUs: NOW_US + 999,
    isAgain: false,
  });
  expect(asked).toMatchObject({ topic: "spBv1.0/g/NCMD/n", qos: 0, retain: false });
  const payload = decodeSparkplug(asked?.payload as Uint8Array);
  expect(Number(payload.timestamp)).toBe(NOW_MS);
  expect(payload.seq ?? undefined).toBeUndefined();
  expect(payload.metrics).toMatchObject([{ name: "Node Control/Rebirth", type: "Boolean", value: true }]);
});

test("missing sequence numbers are counted, over the turn at 255 too; repeated and late ones are not", () => {
  const gaps = (from: number, ...then: number[]): number[] => {
    const listener = new Listener();
    listener.take("g/NBIRTH/n", message(from, NODE_BIRTH));
    return then.flatMap((seq) =>
      listener
        .take("g/NDATA/n", message(seq, [byAlias(1, "Double", 1)]))
        .filter(([kind]) => kind === "event")
        .map((call) => Number(/ (\d+) messages are missing/.exec(String(call[2]))?.[1])),
    );
  };
  expect(gaps(0, 1, 2, 3)).toEqual([]);
  expect(gaps(254, 255, 0, 1)).toEqual([]);
  expect(gaps(0, 3, 4)).toEqual([2]);
  expect(gaps(250, 5)).toEqual([10]);
  expect(gaps(0, 1, 1, 2)).toEqual([]);
  expect(gaps(0, 2, 1, 3)).toEqual([1]);
});

test("a gap is told as an event, and a rebirth is asked for", () => {
  const calls = born().take("plant/NDATA/n1", message(4, [byAlias(1, "Double", 1)]));
  expect(values(calls)).toEqual([
    [
      "event",
      "sparkplug.gap",
      'Of the edge node "plant/n1" 2 messages are missing before sequence number 4.',
    ],
    ["request", "spBv1.0/plant/NCMD/n1"],
    ["record", NOW_US, "plant.n1"],
    ["value", "load", 1],
  ]);
});

test("a death ends the session: later data is refused until the next birth", () => {
  const listener = born();
  const death = message(undefined, [{ name: "bdSeq", type: "Int64", value: 4 }]);
  expect(listener.take("plant/NDEATH/n1", death)).toEqual([
    ["ignore"],
    ["event", "sparkplug.death", 'The edge node "plant/n1" is gone, and with it 1 devices.'],
  ]);
  expect(kinds(listener.take("plant/DDATA/n1/pump", message(2, [byAlias(10, "Float", 1)])))).toContain(
    "refuse",
  );
  listener.take("plant/NBIRTH/n1", message(0, NODE_BIRTH));
  expect(kinds(listener.take("plant/NDATA/n1", message(1, [byAlias(1, "Double", 1)])))).toEqual([
    "record",
    "value",
  ]);
  expect(
    listener.take("plant/NDEATH/n1", message(undefined, [{ name: "bdSeq", type: "Int64", value: 3 }])),
  ).toEqual([["ignore"]]);
  expect(kinds(listener.take("plant/NDATA/n1", message(2, [byAlias(1, "Double", 1)])))).toEqual([
    "record",
    "value",
  ]);
});

test("a device's death ends the device alone", () => {
  const listener = born();
  expect(listener.take("plant/DDEATH/n1/pump", message(2, []))).toEqual([
    ["ignore"],
    ["event", "sparkplug.death", 'The device "pump" of the edge node "plant/n1" is gone.'],
  ]);
  expect(kinds(listener.take("plant/DDATA/n1/pump", message(3, [byAlias(10, "Float", 1)])))).toContain(
    "refuse",
  );
  expect(kinds(listener.take("plant/NDATA/n1", message(4, [byAlias(1, "Double", 1)])))).toEqual([
    "record",
    "value",
  ]);
});

test("a birth of a device counts although the edge node's was not seen, and that one is asked for", () => {
  const listener = new Listener();
  expect(kinds(listener.take("plant/DBIRTH/n1/pump", message(7, DEVICE_BIRTH)))).toEqual([
    "request",
    "record",
    "value",
    "value",
    "value",
  ]);
  expect(kinds(listener.take("plant/DDATA/n1/pump", message(8, [byAlias(10, "Float", 1)])))).toEqual([
    "record",
    "value",
  ]);
});

test("what is remembered is carried over a restart as JSON", () => {
  const commands = fc.array(
    fc.tuple(
      fc.constantFrom(
        "NBIRTH/n1",
        "NDATA/n1",
        "NDEATH/n1",
        "DBIRTH/n1/d",
        "DDATA/n1/d",
        "DDEATH/n1/d",
        "NDATA/n2",
      ),
      fc.nat(255),
      fc.array(fc.nat(3), { maxLength: 3 }),
      fc.nat(6_000),
    ),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(commands, fc.nat(30), (drawn, at) => {
      const whole = new Listener();
      let cut = new Listener();
      for (const [place, [topic, seq, aliases, waitMs]] of drawn.entries()) {
        if (place === at) {
          const saved = JSON.parse(JSON.stringify(cut.decoder.memory?.save()));
          cut = new Listener().wait(drawn.slice(0, place).reduce((sum, [, , , ms]) => sum + ms, 0));
          cut.decoder.memory?.restore(saved);
        }
        const metrics = aliases.map((alias): Metric => ({
          name: `m${alias}`,
          alias,
          type: "Int32",
          value: seq,
        }));
        const payload = message(seq, metrics);
        expect(cut.wait(waitMs).take(`g/${topic}`, payload)).toEqual(
          whole.wait(waitMs).take(`g/${topic}`, payload),
        );
      }
      expect(cut.decoder.memory?.save()).toEqual(whole.decoder.memory?.save());
    }),
    { numRuns: 300 },
  );
});

test("a message that is decoded again gives its values and leaves the session as it is", () => {
  const listener = born();
  const before = listener.decoder.memory?.save();
  const other: Metric[] = [{ name: "other", alias: 1, type: "Int32", value: 7 }];
  expect(values(listener.again("plant/NBIRTH/n1", message(200, other)))).toEqual([
    ["record", NOW_US, "plant.n1"],
    ["value", "other", 7],
  ]);
  expect(values(listener.again("plant/NDATA/n1", message(90, [byAlias(1, "Double", 0.5)])))).toEqual([
    ["record", NOW_US, "plant.n1"],
    ["value", "load", 0.5],
  ]);
  expect(kinds(listener.again("plant/NDATA/n1", message(90, [byAlias(77, "Double", 0.5)])))).toEqual([
    "refuse",
    "value",
  ]);
  expect(kinds(listener.again("plant/NDATA/unknown", message(90, [])))).toEqual(["refuse"]);
  expect(listener.again("plant/NDEATH/n1", message(undefined, []))).toEqual([["ignore"]]);
  expect(listener.decoder.memory?.save()).toEqual(before);
});

test("however many edge nodes and metrics come, what is remembered stays within its limits", () => {
  const listener = new Listener({ rebirth: true });
  const metrics = Array.from({ length: 100 }, (_, i): Metric => ({
    name: `m${i}`,
    alias: i,
    type: "Int32",
    value: i,
  }));
  const large = message(0, metrics);
  for (let n = 0; n < 700; n++) listener.take(`g/NBIRTH/n${n}`, large);
  const saved = listener.decoder.memory?.save() as { nodes: unknown[]; asked: unknown[] };
  expect(saved.nodes).toHaveLength(Math.floor(50_000 / 101));
  for (let n = 0; n < 3_000; n++) listener.take(`g/NDATA/x${n}`, message(0, []));
  for (let n = 0; n < 1_500; n++) listener.take(`g/NBIRTH/s${n}`, message(0, []));
  const later = listener.decoder.memory?.save() as typeof saved;
  expect(later.nodes).toHaveLength(1_000);
  expect(later.asked).toHaveLength(1_000);
  const data = message(1, [byAlias(1, "Int32", 1)]);
  expect(kinds(listener.take("g/NDATA/n0", data))).toContain("refuse");
});
