// Goal: what the documents show can be typed as it stands. Method: each block of settings is completed with what every
// gateway needs and checked as `config check` does; each message below a block of routes is decoded by them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { gatewaySettingsSchema } from "../../edge/settings.ts";
import { decoderOf, messageOf } from "./decode/messages.ts";

const root = join(import.meta.dirname, "../..");
const PAGES = [
  "README.md",
  "docs/ingest.md",
  "docs/buffer.md",
  "docs/uplink.md",
  "docs/contracts.md",
  "docs/security.md",
  "docs/serving.md",
];

interface Block {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

const blocks: readonly Block[] = PAGES.flatMap((page) =>
  [...readFileSync(join(root, page), "utf8").matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(
    ([, language = "", text = ""]) => ({ page, language, text }),
  ),
);

const pump = { topic: "plant/{device}/telemetry", deviceType: "pump", payload: { format: "json" } };
const MINIMUM = {
  gateway: "site-1",
  ingest: { broker: {} },
  buffer: { dir: "data" },
  models: { publicKeys: ["keys/signing.pub"] },
  lake: { kind: "folder", path: "lake" },
};

const settings = blocks.filter(({ language }) => language === "yaml");

test("every page has settings", () => {
  expect(new Set(settings.map(({ page }) => page))).toEqual(new Set(PAGES));
});

test.each(settings.map(({ page, text }) => [page, text]))(
  "%s: these settings are in order: %s",
  (_, text) => {
    const shown = parse(text);
    const checked = gatewaySettingsSchema.safeParse({
      ...MINIMUM,
      ...shown,
      decode: { routes: [pump], ...shown.decode },
    });
    expect(checked.error?.issues ?? []).toEqual([]);
  },
);

const examples = blocks.flatMap((block, place) => {
  const before = blocks[place - 1];
  if (block.language !== "text" || before?.language !== "yaml" || !before.text.includes("routes:")) return [];
  return block.text
    .trimEnd()
    .split("\n")
    .map((line) => [line, before.text] as const);
});

test.each(examples)("the message %s is read by the routes above it", (line, yaml) => {
  const [, topic = "", payload = ""] = /^(\S+) +(.*)$/.exec(line) ?? [];
  const { readings, quarantine } = decoderOf(parse(yaml).decode).decode([
    { ...messageOf(0, topic, payload.replaceAll("\\n", "\n")), receivedAtUs: 1_767_225_660_000_000 },
  ]);
  expect(quarantine).toEqual([]);
  expect(readings.count).toBeGreaterThan(0);
});

test("every format has an example", () => {
  const formats = JSON.stringify(settings.map(({ text }) => parse(text)));
  for (const format of [
    "json",
    "number",
    "csv",
    "senml-json",
    "sparkplug-b",
    "waveform-json",
    "waveform-binary",
  ])
    expect(formats).toContain(`"format":"${format}"`);
  expect(examples.length).toBeGreaterThan(5);
});
