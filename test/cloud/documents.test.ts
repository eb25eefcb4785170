// Goal: what the page of the lake shows can be typed as it stands. Method: each block of settings is completed and checked
// as `config check` does, and each code and each finding that the lake's code knows must have its words.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { STREAMS } from "@sluice/shared/contract/stream.ts";
import { fileColumns } from "@sluice/cloud/lake/delta-schema.ts";
import { meaningOf } from "@sluice/cloud/lake/lake-catalog-meaning.ts";
import { FINDING_KINDS } from "@sluice/cloud/lake/verify-finding.ts";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { cloudSettingsSchema } from "../../cloud/config.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/lake.md"), "utf8");
const blocks = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = ""]) => text);
const MINIMUM = {
  lake: { kind: "folder", path: "lake" },
  tables: { cacheDir: "cache" },
  keys: { privateKey: "keys/signing.key", publicKeys: ["keys/signing.pub"] },
};

test.each(blocks)("these settings are in order: %s", (text) => {
  expect(cloudSettingsSchema.safeParse({ ...MINIMUM, ...parse(text) }).error?.issues ?? []).toEqual([]);
});

test("every code that the lake can end with is explained", () => {
  const folder = join(root, "cloud/lake");
  const codes = readdirSync(folder).flatMap((name) =>
    [
      ...readFileSync(join(folder, name), "utf8").matchAll(/PipelineError\(\s*"((?:lake|sql)\.[a-z_]+)"/g),
    ].map(([, code = ""]) => code),
  );
  expect(codes.length).toBeGreaterThan(15);
  expect([...new Set(codes)].filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
});

test("every kind of finding is explained", () => {
  const table = page.slice(page.indexOf("| finding"), page.indexOf("`--by-device` says"));
  expect(FINDING_KINDS.filter((kind) => !table.includes(kind.replaceAll("_", " ")))).toEqual([]);
});

test("every column of every table has a meaning", () => {
  const nameless = STREAMS.flatMap((table) =>
    [...fileColumns(table).map(({ name }) => name), "date"]
      .filter((name) => meaningOf(table, name) === undefined)
      .map((name) => `${table}.${name}`),
  );
  expect(nameless).toEqual([]);
});
