// SKAB through the whole system: what goes in as CSV comes out of the lake as the same bits, once each, whatever
// happens to the gateway, and a model that has seen only the healthy run scores the faulty ones.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { datasetKey } from "@sluice/cloud/dataset/manifest.ts";
import type { PredictedWindow } from "@sluice/cloud/evaluation/point-scores.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { newUuid, seededRandom } from "@sluice/shared/runtime/random.ts";
import { openStore } from "@sluice/shared/store/open.ts";
import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { type Check, Checks } from "./checks.ts";
import { run, RunningGateway } from "./programs.ts";
import { type RecordedFile, readSkab, SKAB_METRICS, skabFolder } from "./skab-files.ts";
import { renderScores, scoreSkab, type SkabScores } from "./skab-scores.ts";
import { makeSite, MODEL, type Site } from "./skab-settings.ts";

/** Readings per metric, as published with the data set. */
const PUBLISHED_ROWS = { healthy: 9_405, valve1: 18_160 };

const MAP = join(import.meta.dirname, "../../simulators/replay/maps/skab.yaml");
const METRICS = Object.keys(SKAB_METRICS);

interface Variant {
  readonly name: string;
  readonly lakeOf: (dir: string) => object;
  /** Whether the gateway is killed in the middle of the faulty runs. */
  readonly kill: boolean;
}

/** What the lake held in the end, by what must be the same in every variant. */
interface Counts {
  readonly perMetric: readonly (readonly [metric: string, rows: number])[];
  readonly vectors: number;
  readonly predictions: number;
}

interface VariantResult {
  readonly variant: string;
  readonly seconds: number;
  readonly counts: Counts;
  readonly model: string;
  readonly scores: SkabScores;
}

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
    { name: "folder, gateway killed", lakeOf: folder, kill: true },
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
  return [{ name: "S3 (a real server), gateway killed", lakeOf: () => lake, kill: true }];
}

const rowsOf = (files: readonly RecordedFile[]): number =>
  files.reduce((sum, { rows }) => sum + rows.length, 0);

interface ReplaySummary {
  readonly acknowledged: number;
  readonly resent: number;
  readonly reconnects: number;
}

/** One variant from the empty lake to the scores. */
class Proof {
  readonly #variant: Variant;
  readonly #healthy: RecordedFile;
  readonly #valve1: readonly RecordedFile[];
  readonly #checks: Checks;
  readonly #say: (text: string) => void;

  constructor(
    variant: Variant,
    recorded: { readonly healthy: RecordedFile; readonly valve1: readonly RecordedFile[] },
    checks: Checks,
    say: (text: string) => void,
  ) {
    this.#variant = variant;
    this.#healthy = recorded.healthy;
    this.#valve1 = recorded.valve1;
    this.#checks = checks;
    this.#say = say;
  }

  async run(): Promise<VariantResult> {
    const startedUs = systemClock.monotonicUs();
    const site = await makeSite(this.#variant.lakeOf);
    let gateway = await RunningGateway.start(site.gatewayFile);
    await site.writeGateway(portOf(gateway.mqtt), portOf(gateway.status));
    const before = this.#healthy.rows.length;
    const after = before + rowsOf(this.#valve1);

    await this.#replay(gateway, [this.#healthy]);
    await gateway.drained(before);
    const model = await this.#train(site, gateway);
    gateway = await this.#replayFaulty(site, gateway, before);
    await gateway.drained(after);
    await gateway.end("SIGTERM");

    await run("cloud", ["commit", "--config", site.cloudFile]);
    const counts = await this.#count(site);
    await this.#compareReadings(site);
    await this.#verifyFeatures(site);
    const scores = await this.#score(site);
    await rm(site.dir, { recursive: true, force: true });
    const seconds = Math.round((systemClock.monotonicUs() - startedUs) / 1e6);
    return { variant: this.#variant.name, seconds, counts, model, scores };
  }

  #equal(name: string, found: unknown, expected: unknown): void {
    this.#checks.equal(`${this.#variant.name}: ${name}`, found, expected);
  }

  async #replay(gateway: RunningGateway, files: readonly RecordedFile[]): Promise<ReplaySummary> {
    const paths = files.map(({ path }) => path);
    const options = ["--map", MAP, "--speed", "0", "--broker", `mqtt://${gateway.mqtt}`, "--json"];
    const summary = JSON.parse(await run("sim", ["replay", ...paths, ...options])) as ReplaySummary;
    this.#equal(`every row of ${files.length} files is acknowledged`, summary.acknowledged, rowsOf(files));
    return summary;
  }

  /** Trains on what is in the lake, the healthy run, and waits until the gateway runs the model. Returns its name. */
  async #train(site: Site, gateway: RunningGateway): Promise<string> {
    this.#say("training");
    const printed = await run("cloud", ["train", "--config", site.cloudFile, "--json"], [0, 1]);
    const attempt = JSON.parse(printed) as {
      decision: string;
      version?: number;
      datasetId: string;
      table: string;
    };
    this.#say(attempt.table);
    this.#equal("the model is promoted", attempt.decision, "promote");
    this.#equal("it was trained on the healthy run alone", await this.#devicesOf(site, attempt.datasetId), {
      inLake: [this.#healthy.device],
      inDataset: 1,
    });
    if (attempt.version === undefined)
      throw new Error("no model was promoted: there is nothing to score with");
    const { inference } = await gateway.statusWhen("the gateway runs the model", (status) => {
      const { slot } = status.inference;
      return slot.state === "ready" && slot.model.version === attempt.version;
    });
    return JSON.stringify(inference.slot);
  }

  async #devicesOf(site: Site, datasetId: string): Promise<object> {
    const settings = storeSettingsSchema.parse(this.#variant.lakeOf(site.dir));
    const store = await openStore(settings, { clock: systemClock, random: seededRandom(1) });
    const result = await store.get(datasetKey(datasetId));
    if (result.state !== "found") throw new Error(`the lake has no ${datasetKey(datasetId)}`);
    const manifest = JSON.parse(Buffer.from(result.object.body).toString()) as { devices: number };
    const inLake = await this.#ask(site, "select distinct device from features order by 1");
    return { inLake: inLake.map(({ device }) => device), inDataset: manifest.devices };
  }

  /** Replays the faulty runs; in the variant that says so the gateway dies half-way and comes back. */
  async #replayFaulty(site: Site, gateway: RunningGateway, before: number): Promise<RunningGateway> {
    const replayed = this.#replay(gateway, this.#valve1);
    if (!this.#variant.kill) {
      await replayed;
      return gateway;
    }
    const half = before + Math.floor(rowsOf(this.#valve1) / 2);
    const { buffer } = await gateway.statusWhen(
      "half is stored",
      (status) => status.buffer.nextOffset >= half,
    );
    await gateway.end("SIGKILL");
    this.#say(`killed the gateway after ${buffer.nextOffset - before} of ${rowsOf(this.#valve1)} rows`);
    const restarted = await RunningGateway.start(site.gatewayFile);
    const { resent, reconnects } = await replayed;
    this.#equal(
      "the kill cut the replay, which sent again what was not acknowledged",
      [reconnects, resent > 0],
      [1, true],
    );
    return restarted;
  }

  async #count(site: Site): Promise<Counts> {
    const perMetric = await this.#ask(
      site,
      `select metric, count(*) as n, count(distinct (gateway, epoch, "offset", "index")) as once
       from readings where device like 'valve1-%' group by metric order by metric`,
    );
    const rows = rowsOf(this.#valve1);
    this.#equal(
      `${rows} readings of each of ${METRICS.length} metrics, each once`,
      perMetric.map(({ metric, n, once }) => [metric, n, once]),
      METRICS.toSorted().map((metric) => [metric, rows, rows]),
    );
    const [others] = await this.#ask(
      site,
      `select (select count(*) from quarantine) as quarantined,
        (select count(*) from features where device like 'valve1-%') as vectors,
        (select count(*) from predictions where device like 'valve1-%') as predictions`,
    );
    this.#equal("nothing is in quarantine", others?.["quarantined"], 0);
    const vectors = Number(others?.["vectors"]);
    const predictions = Number(others?.["predictions"]);
    this.#equal("every window of the faulty runs is scored", predictions, vectors);
    return { perMetric: perMetric.map(({ metric, n }) => [String(metric), Number(n)]), vectors, predictions };
  }

  /** Every reading in the lake is the one in the file: device, metric, time, order and the value's bits. */
  async #compareReadings(site: Site): Promise<void> {
    const query = `select device, metric, epoch_us(measured_at), value from readings order by device, metric, "offset"`;
    const printed = await run("cloud", ["sql", query, "--config", site.cloudFile, "--format", "csv"]);
    const found = printed.trimEnd().split("\n").slice(1);
    const files = [this.#healthy, ...this.#valve1].toSorted((a, b) => (a.device < b.device ? -1 : 1));
    const expected = files.flatMap(({ device, rows }) =>
      METRICS.toSorted().flatMap((metric) => {
        const column = METRICS.indexOf(metric);
        return rows.map((row) => `${device},${metric},${row.measuredAtUs},${row.values[column]}`);
      }),
    );
    const differs = expected.findIndex((line, i) => line !== found[i]);
    this.#equal(
      "every reading in the lake is the one in the file, in its order, to the bit",
      differs === -1 ? [found.length] : [found.length, found[differs]],
      differs === -1 ? [expected.length] : [expected.length, expected[differs]],
    );
  }

  async #verifyFeatures(site: Site): Promise<void> {
    const printed = await run("cloud", ["verify-features", "--config", site.cloudFile, "--json"], [0, 1]);
    const rows = JSON.parse(printed) as {
      vectors: number;
      equal: number;
      different: number;
      waiting: number;
    }[];
    this.#equal(
      "the features recomputed from the lake are the gateway's, to the bit",
      rows.map(({ equal, different, waiting }) => ({ equal, different, waiting })),
      rows.map(({ vectors }) => ({ equal: vectors, different: 0, waiting: 0 })),
    );
    this.#checks.holds(
      `${this.#variant.name}: there are features to compare`,
      rows.length === 1 && rows.every(({ vectors }) => vectors > 1_000),
      `${rows.map(({ vectors }) => vectors).join(", ")} vectors`,
    );
  }

  async #score(site: Site): Promise<SkabScores> {
    const rows = await this.#ask(
      site,
      `select device, epoch_us(window_start) as start_us, epoch_us(window_end) as end_us, anomalous
       from predictions where device like 'valve1-%' and model = '${MODEL}' and revision = 0`,
    );
    const windows = Map.groupBy(rows, ({ device }) => String(device));
    const windowsOf = (device: string): readonly PredictedWindow[] =>
      (windows.get(device) ?? []).map((row) => ({
        startUs: Number(row["start_us"]),
        endUs: Number(row["end_us"]),
        anomalous: row["anomalous"] === true,
      }));
    const scores = scoreSkab(this.#valve1, windowsOf);
    this.#say(renderScores(scores));
    return scores;
  }

  async #ask(site: Site, query: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return JSON.parse(
      await run("cloud", ["sql", query, "--config", site.cloudFile, "--format", "json"]),
    ) as Record<string, unknown>[];
  }
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1));

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
