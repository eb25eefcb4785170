import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { datasetKey } from "@sluice/cloud/dataset/manifest.ts";
import type { PredictedWindow } from "@sluice/cloud/evaluation/point-scores.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { openStore } from "@sluice/shared/store/open.ts";
import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import type { Checks } from "./checks.ts";
import { Link } from "./link.ts";
import { run, RunningGateway } from "./programs.ts";
import { type RecordedFile, rowsOf, SKAB_METRICS } from "./skab-files.ts";
import { renderScores, scoreSkab, type SkabScores } from "./skab-scores.ts";
import { makeSite, MODEL, type Site } from "./skab-settings.ts";

const MAP = join(import.meta.dirname, "../../simulators/replay/maps/skab.yaml");
const METRICS = Object.keys(SKAB_METRICS);

/** About so many rows are stored before the second kill without an answer. */
const LOST_ANSWERS = 100;

/** One way through the system. */
export interface Variant {
  readonly name: string;
  readonly lakeOf: (dir: string) => object;
  /** Whether the gateway is killed, twice, in the middle of the faulty runs. */
  readonly kill: boolean;
}

/** What the lake held in the end, by what must be the same in every variant. */
export interface Counts {
  readonly perMetric: readonly (readonly [metric: string, rows: number])[];
  readonly vectors: number;
  readonly predictions: number;
}

export interface VariantResult {
  readonly variant: string;
  readonly seconds: number;
  readonly counts: Counts;
  /** What the gateway ran. */
  readonly model: object;
  readonly scores: SkabScores;
}

interface ReplaySummary {
  readonly acknowledged: number;
  readonly resent: number;
  readonly reconnects: number;
}

/** One variant from the empty lake to the scores. */
export class Proof {
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
    const link = await Link.open(portOf(gateway.mqtt));
    const rows = this.#healthy.rows.length;

    await this.#replay(link, [this.#healthy]);
    await gateway.drained(rows);
    const model = await this.#train(site, gateway);
    gateway = await this.#replayFaulty(site, gateway, link);
    await gateway.drained(rows + rowsOf(this.#valve1));
    await gateway.end("SIGTERM");
    link.close();

    await run("cloud", ["commit", "--config", site.cloudFile]);
    const counts = await this.#count(site);
    await this.#compareReadings(site);
    await this.#verifyFeatures(site);
    await this.#backfill(site);
    const scores = await this.#score(site);
    if (this.#checks.made.every(({ held }) => held)) await rm(site.dir, { recursive: true, force: true });
    else this.#say(`kept for a look: ${site.dir}`);
    const seconds = Math.round((systemClock.monotonicUs() - startedUs) / 1e6);
    return { variant: this.#variant.name, seconds, counts, model, scores };
  }

  #equal(name: string, found: unknown, expected: unknown): void {
    this.#checks.equal(`${this.#variant.name}: ${name}`, found, expected);
  }

  async #replay(link: Link, files: readonly RecordedFile[]): Promise<ReplaySummary> {
    const paths = files.map(({ path }) => path);
    const options = ["--map", MAP, "--speed", "0", "--broker", link.url, "--json"];
    const summary = JSON.parse(await run("sim", ["replay", ...paths, ...options])) as ReplaySummary;
    this.#equal(`every row of ${files.length} files is acknowledged`, summary.acknowledged, rowsOf(files));
    return summary;
  }

  /** Trains on what is in the lake, the healthy run, and waits until the gateway runs the model. Returns its name. */
  async #train(site: Site, gateway: RunningGateway): Promise<object> {
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
    return inference.slot;
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

  /** Replays the faulty runs; in the variant that says so the gateway dies twice on the way and comes back. */
  async #replayFaulty(site: Site, gateway: RunningGateway, link: Link): Promise<RunningGateway> {
    const rows = rowsOf(this.#valve1);
    const bytesPerRow = link.passedBytes / this.#healthy.rows.length;
    const inTheMidst = this.#variant.kill ? link.pass((bytesPerRow * rows) / 3) : Promise.resolve();
    const replayed = this.#replay(link, this.#valve1);
    if (!this.#variant.kill) {
      await replayed;
      return gateway;
    }
    // What is on its way to the gateway is lost with it.
    await inTheMidst;
    const second = await this.#killAndRestart(site, gateway, link);
    await link.pass((bytesPerRow * rows) / 3);
    // With everything on disk and no acknowledgement out: what is sent again is there already.
    link.loseAnswers();
    await link.pass(bytesPerRow * LOST_ANSWERS);
    await second.settled();
    const third = await this.#killAndRestart(site, second, link);

    const { resent, reconnects } = await replayed;
    const { duplicates } = (await third.getStatus()).buffer;
    this.#say(`sent again: ${resent}, of them stored before the second kill and recognised: ${duplicates}`);
    this.#equal("the replay was cut twice and went on", reconnects, 2);
    this.#checks.holds(
      `${this.#variant.name}: redeliveries of what was stored are recognised`,
      duplicates > 0,
      `${duplicates} of ${resent}`,
    );
    return third;
  }

  async #killAndRestart(site: Site, gateway: RunningGateway, link: Link): Promise<RunningGateway> {
    const { buffer } = await gateway.getStatus();
    await gateway.end("SIGKILL");
    link.cut();
    const rows = buffer.nextOffset - this.#healthy.rows.length;
    this.#say(`killed the gateway after ${rows} of ${rowsOf(this.#valve1)} rows`);
    this.#checks.holds(
      `${this.#variant.name}: the gateway is killed in the middle`,
      rows > 0 && rows < rowsOf(this.#valve1),
      `${rows} rows`,
    );
    return RunningGateway.start(site.gatewayFile);
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
    const printed = await run("cloud", ["features", "verify", "--config", site.cloudFile, "--json"], [0, 1]);
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

  /** Computes the view over all readings of the lake, as for a new view, and compares with what the gateway delivered. */
  async #backfill(site: Site): Promise<void> {
    const out = join(site.dir, "backfill.csv");
    const range = ["--from", "2000-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"];
    await run("cloud", [
      "features",
      "backfill",
      "--config",
      site.cloudFile,
      "--view",
      MODEL,
      ...range,
      "--out",
      out,
    ]);
    const delivered = await this.#ask(
      site,
      `select device, epoch_us(window_start) as start_us, epoch_us(window_end) as end_us, revision,
         reading_count, "values" from features`,
    );
    const expected = delivered.map((row) => Object.values(row).flat().map(bitsOf).join(" "));
    const [, ...lines] = (await readFile(out, "utf8")).trimEnd().split("\n");
    const found = lines.map((line) => {
      const [, , device, , start = "", end = "", revision, , , readings, , ...values] = line.split(",");
      const [startUs, endUs] = [Date.parse(start) * 1_000, Date.parse(end) * 1_000]; // Whole seconds.
      return [device, startUs, endUs, revision, readings, ...values].map(bitsOf).join(" ");
    });
    const missed = new Set(expected).difference(new Set(found)).size;
    this.#equal(
      "the view back-filled from the lake gives the gateway's vectors, to the bit, and no others",
      { vectors: found.length, missed },
      { vectors: expected.length, missed: 0 },
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

/** A number by its bits; what is none by its text. */
function bitsOf(value: unknown): string {
  const text = (typeof value === "string" ? value : JSON.stringify(value ?? "")).replaceAll('"', "");
  const number = Number(text);
  if (text === "" || Number.isNaN(number)) return text;
  return Buffer.from(Float64Array.of(number).buffer).toString("hex");
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(":") + 1));
