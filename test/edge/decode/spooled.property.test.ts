import { encodeSpooled, type SpoolRow } from "@sluice/shared/contract/spool.ts";
import { spoolTopic } from "@sluice/shared/contract/spool-topic.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decoderOf, messageOf, START_US } from "./messages.ts";

const SETTINGS = {
  routes: [
    {
      topic: "plant/{device}/telemetry",
      deviceType: "pump",
      payload: { format: "json", time: { path: "ts", unit: "us" } },
    },
  ],
  contracts: [{ deviceType: "pump", metrics: { n: { max: 100 } } }],
};

const ROWS_PER_MESSAGE = 3;

/** Message `number` of a job: rows with numbers of their own, one of them refused where `bad`. */
function rowsMessage(offset: number, job: string, number: number, bad: boolean) {
  const rows: SpoolRow[] = Array.from({ length: ROWS_PER_MESSAGE }, (_, i) => {
    const n = number * ROWS_PER_MESSAGE + i;
    return [`${job}-1`, START_US + n, { n: bad && i === 1 ? "rust" : n % 100, flow: n / 2 }];
  });
  const header = {
    kind: "rows" as const,
    deviceType: "pump",
    source: "h.csv",
    firstRow: number * ROWS_PER_MESSAGE + 1,
    isLast: false,
  };
  const payload = encodeSpooled(header, new TextEncoder().encode(JSON.stringify(rows)));
  return messageOf(offset, spoolTopic({ job, number }), payload);
}

test("messages of a job count once, however often parts of it are handed over and wherever the decoder restarts", () => {
  const handedOver = fc.array(
    fc.record({ job: fc.constantFrom("a", "b"), through: fc.nat(5), restart: fc.boolean() }),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(handedOver, (attempts) => {
      let decoder = decoderOf(SETTINGS);
      const through: Record<string, number> = { a: -1, b: -1 };
      const stored: string[] = [];
      let [offset, repeated, restarts] = [0, 0, 0];
      for (const attempt of attempts) {
        // Each attempt begins at the front again, as an import does that was interrupted.
        for (let number = 0; number <= attempt.through; number++) {
          const { readings, counters } = decoder.decode([
            rowsMessage(offset++, attempt.job, number, number === 2),
          ]);
          for (let row = 0; row < readings.count; row++) {
            const { device = "", metric = "" } = readings.series[readings.seriesIndex[row] ?? -1] ?? {};
            stored.push(`${device} ${metric} ${readings.measuredAtUs[row]}`);
          }
          repeated += counters["spool.repeated"] ?? 0;
        }
        through[attempt.job] = Math.max(through[attempt.job] ?? -1, attempt.through);
        if (!attempt.restart) continue;
        const state = structuredClone(decoder.state());
        decoder = decoderOf(SETTINGS);
        decoder.restore(state, () => []);
        restarts++;
      }
      const messages = Object.values(through).reduce((sum, last) => sum + last + 1, 0);
      const refused = Object.values(through).filter((last) => last >= 2).length;
      expect(new Set(stored).size).toBe(stored.length);
      expect(stored).toHaveLength(messages * ROWS_PER_MESSAGE * 2 - refused);
      expect(repeated).toBe(offset - messages);
      expect(restarts).toBe(attempts.filter(({ restart }) => restart).length);
    }),
  );
});

test("a message that is decoded again gives what was refused then and nothing else, by the new contract", () => {
  const first = decoderOf(SETTINGS);
  const message = messageOf(0, "plant/p1/telemetry", { ts: START_US, n: 150, flow: 1 });
  expect(first.decode([message]).counters).toMatchObject({ readings: 1, quarantined: 1 });
  const mended = decoderOf({
    ...SETTINGS,
    contracts: [{ deviceType: "pump", metrics: { n: { max: 200 } } }],
  });
  const header = {
    kind: "message" as const,
    client: "client-1",
    topic: "plant/p1/telemetry",
    receivedAtUs: START_US,
    stored: "",
  };
  const again = (stored: string, number: number) =>
    mended.decode([
      messageOf(
        number + 1,
        spoolTopic({ job: "release", number }),
        encodeSpooled({ ...header, stored }, message.payload),
      ),
    ]).counters;
  expect(again("", 0)).toMatchObject({ readings: 2 });
  expect(again("x".repeat(30), 1)).toMatchObject({ readings: 0, duplicates: 2 });
  expect(again("", 1)).toMatchObject({ readings: 0, "spool.repeated": 1 });
});

/** What decoding messages of a release gives, each with what was good in it before, as "metric value". */
function released(
  decoder: ReturnType<typeof decoderOf>,
  messages: readonly { readonly payload: Uint8Array; readonly good: string | undefined }[],
): string[] {
  const spooled = messages.map(({ payload, good }, number) => {
    const header = { client: "c", topic: "plant/p1/telemetry", receivedAtUs: START_US, stored: good ?? "" };
    const bytes = encodeSpooled({ kind: "message", ...header }, payload);
    return messageOf(100 + number, spoolTopic({ job: "release", number }), bytes);
  });
  const { readings } = decoder.decode(spooled);
  return Array.from(readings.value, (value, row) => {
    const { metric = "" } = readings.series[readings.seriesIndex[row] ?? -1] ?? {};
    return `${metric} ${value}`;
  });
}

const mendedTo = (metric: object) =>
  decoderOf({ ...SETTINGS, contracts: [{ deviceType: "pump", metrics: { n: metric } }] });

test("of records of one time, those that were refused are given when the message is decoded again", () => {
  const records = [101, 1, 102, 2, 1].map((n) => ({ ts: START_US, n }));
  const message = messageOf(0, "plant/p1/telemetry", records);
  const first = decoderOf({ ...SETTINGS, duplicateWindowMessages: 0 }).decode([message]);
  expect([...first.readings.value]).toEqual([1, 2, 1]);
  const { payload } = message;
  const good = first.good.get(0);
  expect(released(mendedTo({ max: 200 }), [{ payload, good }])).toEqual(["n 101", "n 102"]);
  // In another unit all values are others; as many as were stored are passed over.
  const inBar = mendedTo({ max: 200, unit: "bar", sentUnit: "kPa" });
  expect(released(inBar, [{ payload, good }])).toHaveLength(2);
});

test("a message that came twice gives each reading once when both are decoded again", () => {
  const message = messageOf(0, "plant/p1/telemetry", { ts: START_US, n: 150, flow: 1 });
  const { readings, good } = decoderOf(SETTINGS).decode([message, { ...message, offset: 1 }]);
  expect([...readings.value]).toEqual([1]);
  const both = [0, 1].map((offset) => ({ payload: message.payload, good: good.get(offset) }));
  expect(released(mendedTo({ max: 200 }), both)).toEqual(["n 150"]);
});

test("bytes of the spool that are nothing of ours are quarantined, and stop nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string({ maxLength: 30 }), (bytes, end) => {
      const decoder = decoderOf(SETTINGS);
      const topics = [`sluice/spool/${end}`, spoolTopic({ job: "a", number: 0 })];
      const decoded = decoder.decode(topics.map((topic, i) => messageOf(i, topic, bytes)));
      expect(decoded.counters).toMatchObject({ readings: 0, quarantined: 2 });
    }),
  );
});
