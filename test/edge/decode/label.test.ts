import { expect, test } from "vitest";
import { decoderOf, messageOf, START_US } from "./messages.ts";

const SETTINGS = { routes: [{ topic: "{device}", deviceType: "pump", payload: { format: "json" } }] };
const LABEL = {
  device: "p1",
  from: "2023-12-31T23:00:00+01:00",
  to: "2023-12-31T22:30:00.25Z",
  label: "bearing_fault",
  author: "anna",
};

function decode(payload: unknown): ReturnType<ReturnType<typeof decoderOf>["decode"]> {
  return decoderOf(SETTINGS).decode([messageOf(7, "sluice/labels", payload)]);
}

test("a label on its topic is stored with its times in microseconds, known from its arrival on", () => {
  const { labels, quarantine, counters } = decode(LABEL);
  expect(labels).toEqual([
    {
      offset: 7,
      device: "p1",
      fromUs: 1_704_060_000_000_000,
      toUs: 1_704_061_800_250_000,
      label: "bearing_fault",
      author: "anna",
      note: "",
      knownAtUs: START_US + 7_000,
    },
  ]);
  expect(quarantine).toEqual([]);
  expect(counters).toMatchObject({ labels: 1, messages: 1 });
});

test.each([
  ["{", "The label is not JSON."],
  ["[]", "The label is not a JSON object."],
  [{ ...LABEL, label: "Bad!" }, /label is "Bad!": a lower-case name such as normal/],
  [{ ...LABEL, from: "2024-01-01T00:00:00" }, /from is "2024-01-01T00:00:00"/],
  [{ ...LABEL, to: LABEL.from }, /is not before its "to"/],
  [{ ...LABEL, device: "a/b", author: "" }, /device is "a\/b".*author is ""/],
  [{ ...LABEL, extra: 1 }, /extra/],
] as const)("the label %j is refused: %s", (payload, detail) => {
  const { labels, quarantine } = decode(payload);
  expect(labels).toEqual([]);
  expect(quarantine).toHaveLength(1);
  expect(quarantine[0]?.reason).toBe("label.invalid");
  expect(quarantine[0]?.detail).toMatch(detail);
});

test("an empty or too large label is refused as any payload is", () => {
  expect(decode("").quarantine[0]?.reason).toBe("payload.empty");
  expect(decode({ ...LABEL, note: "x".repeat(70_000) }).quarantine[0]?.reason).toBe("payload.too_large");
});
