// SKAB through the whole system: what goes in as CSV comes out of the lake as the same bits, once each, whatever
// happens to the gateway, and a model that has seen only the healthy run scores the faulty ones.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { type Check, Checks } from "./checks.ts";
import { readSkab, rowsOf, skabFolder } from "./skab-files.ts";
import { renderScores } from "./skab-scores.ts";
import { Proof, type Variant, type VariantResult } from "./skab-variant.ts";

/** Readings per metric, as published with the data set. */
const PUBLISHED_ROWS = { healthy: 9_405, valve1: 18_160 };

export interface SkabResult {
  readonly checks: readonly Check[];
  readonly variants: readonly VariantResult[];
}

export const hasSkab = (dataDir: string): boolean => existsSync(skabFolder(dataDir));

/** Runs all variants. `say` hears of progress. */
export async function proveSkab(dataDir: string, say: (text: string) => void): Promise<SkabResult> {
  const recorded = readSkab(dataDir);
  const checks = new Checks(say);
  const rows = { healthy: recorded.healthy.rows.length, valve1: rowsOf(recorded.valve1) };
  checks.equal("the CSV files hold the published number of rows", rows, PUBLISHED_ROWS);
  const store = await startObjectStore();
  const { endpoint, bucket, accessKeyId, secretAccessKey } = store;
  const folder = (dir: string): object => ({ kind: "folder", path: join(dir, "lake") });
  const variants: Variant[] = [
    { name: "folder", lakeOf: folder, kill: false },
    { name: "folder, gateway killed twice", lakeOf: folder, kill: true },
    {
      name: "S3 (simulators/object-store)",
      lakeOf: () => ({ kind: "s3", endpoint, bucket, accessKeyId, secretAccessKey }),
      kill: false,
    },
    ...realS3(say),
  ];
  const results: VariantResult[] = [];
  try {
    for (const variant of variants) {
      say(`variant: ${variant.name}`);
      results.push(await new Proof(variant, recorded, checks, say).run());
    }
  } finally {
    await store.stop();
  }
  const [first] = results;
  for (const { variant, counts, scores } of results.slice(1)) {
    checks.equal(`${variant}: the same counts as in the first variant`, counts, first?.counts);
    checks.equal(`${variant}: the same scores as in the first variant`, scores, first?.scores);
  }
  return { checks: checks.made, variants: results };
}

/** The server that the environment names, as test/shared/store/real-s3.test.ts reads it. */
function realS3(say: (text: string) => void): readonly Variant[] {
  const endpoint = process.env["SLUICE_TEST_S3_ENDPOINT"];
  if (endpoint === undefined) {
    say("SKIPPED: a real S3 server: set SLUICE_TEST_S3_ENDPOINT (see .ci/ceph-up.sh)");
    return [];
  }
  const lake = {
    kind: "s3",
    endpoint,
    region: process.env["SLUICE_TEST_S3_REGION"],
    bucket: process.env["SLUICE_TEST_S3_BUCKET"],
    accessKeyId: process.env["SLUICE_TEST_S3_ACCESS_KEY_ID"],
    secretAccessKey: process.env["SLUICE_TEST_S3_SECRET_ACCESS_KEY"],
    prefix: `recorded-${newUuid()}`,
  };
  return [{ name: "S3 (a real server), gateway killed twice", lakeOf: () => lake, kill: true }];
}

/** The result for a person. */
export function renderSkab({ checks, variants }: SkabResult): string {
  const [first] = variants;
  return [
    "SKAB: 16 runs with a closing valve and one healthy run, by MQTT through gateway, lake and model",
    "",
    ...checks.map(({ name, held, detail }) => `${held ? "holds" : "FAILS"}  ${name}: ${detail}`),
    "",
    ...variants.map(
      ({ variant, seconds, counts }) =>
        `${variant}: ${seconds} s, ${counts.vectors} windows, ${counts.predictions} predictions`,
    ),
    "",
    ...(first === undefined ? [] : [renderScores(first.scores)]),
  ].join("\n");
}
