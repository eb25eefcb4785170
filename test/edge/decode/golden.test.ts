// Each folder of test/golden/decode is a case: settings.json as in a gateway's `decode`, input.json the messages in
// order (payload as `text`, `json` or `base64`), expected.json what must come of them.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { NewEvent } from "@sluice/shared/contract/event.ts";
import { CLOCKS } from "@sluice/shared/contract/reading.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { expect, test } from "vitest";
import type { Decoded } from "../../../edge/decode/decoder.ts";
import { decoderOf, messageOf } from "./messages.ts";

interface InputMessage {
  readonly topic: string;
  readonly text?: string;
  readonly json?: unknown;
  readonly base64?: string;
  readonly receivedAt?: string;
}

const root = join(import.meta.dirname, "../../golden/decode");
const cases = readdirSync(root);

function messageFrom(input: InputMessage, offset: number): ReturnType<typeof messageOf> {
  const payload =
    input.base64 === undefined ? (input.text ?? input.json) : Buffer.from(input.base64, "base64");
  const message = messageOf(offset, input.topic, payload);
  return input.receivedAt === undefined
    ? message
    : { ...message, receivedAtUs: Date.parse(input.receivedAt) * 1_000 };
}

/** One line per thing, so that a difference can be read. */
function told({ readings, quarantine, labels, events, counters }: Decoded): object {
  return {
    readings: Array.from({ length: readings.count }, (_, i) => {
      const series = readings.series[readings.seriesIndex[i] ?? -1];
      const unit = series?.unit === undefined ? "" : ` ${series.unit}`;
      const clock = CLOCKS[readings.clock[i] ?? -1];
      const time = `${isoTime(readings.measuredAtUs[i] ?? 0)} (${clock})`;
      return `${readings.offset[i]}/${readings.index[i]} ${series?.device} ${series?.metric} ${readings.value[i]}${unit} at ${time}${readings.withheld[i] === 1 ? ", withheld" : ""}`;
    }),
    quarantine: quarantine.map(
      ({ offset, index, reason, detail }) => `${offset}/${index} ${reason}: ${detail}`,
    ),
    labels: labels.map(
      (label) =>
        `${label.offset} ${label.device} ${label.label} from ${isoTime(label.fromUs)} to ${isoTime(label.toUs)} by ${label.author}`,
    ),
    ...(events.length === 0 ? {} : { events: events.map(eventLine) }),
    counters,
  };
}

function eventLine({ kind, atUs, offsets, count, detail }: NewEvent): string {
  const concerns = offsets === undefined ? "" : ` of ${offsets.from} to ${offsets.through}`;
  return `${isoTime(atUs)} ${kind}${concerns}, ${count}: ${detail}`;
}

test("there are cases", () => {
  expect(cases.length).toBeGreaterThan(3);
});

test.each(cases)("%s is decoded as expected", (name) => {
  const read = (file: string): string => readFileSync(join(root, name, file), "utf8");
  const input: readonly InputMessage[] = JSON.parse(read("input.json"));
  const decoded = decoderOf(JSON.parse(read("settings.json"))).decode(input.map(messageFrom));
  expect(told(decoded)).toEqual(JSON.parse(read("expected.json")));
});
