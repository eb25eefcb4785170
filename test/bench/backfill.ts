import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { backfill } from "@sluice/cloud/feature-store/backfill.ts";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { DAY_US, LakeFolder } from "./lake-folder.ts";
import { atMost, type BenchLine, count, interleave } from "./line.ts";
import { measureRun } from "./measured-run.ts";
import { root } from "./process.ts";

const READINGS = Number(process.env["BENCH_BACKFILL_READINGS"] ?? 10_000_000);
const ROUNDS = Number(process.env["BENCH_BACKFILL_ROUNDS"] ?? 1);
const DEVICES = 100;
/** Ten readings a second of each device. */
const STEP_US = 100_000;
const START_US = 20_778 * DAY_US;
const EPOCH = "0198a6d2-8c1f-4a5e-9d3b-2f6f0c9a1b7e";
const FUNCTIONS = ["mean", "std", "min", "max", "rms", "peak", "crest_factor", "slope", "first", "last"];

/** A view of the ten functions; each round has one of its own, so that it computes everything anew. */
const viewOf = (round: number) =>
  featureViewSchema.parse({
    name: round < 0 ? "bench_command" : `bench_${round}`,
    owner: "bench",
    match: { deviceType: "pump" },
    window: { kind: "hopping", sizeMs: 60_000, hopMs: 10_000 },
    inputs: { a: { metric: "vibration" } },
    features: FUNCTIONS.map((fn) => ({ name: fn, fn, of: "a" })),
  });

/** The ten functions of `value` in SQL, over a group or, with `over`, over a window. */
const aggregates = (over = ""): string =>
  [
    "avg(value)",
    "stddev_samp(value)",
    "min(value)",
    "max(value)",
    "avg(value * value)",
    "max(abs(value))",
    "regr_slope(value, epoch_us(measured_at) / 1e6)",
    over === "" ? "arg_min(value, measured_at)" : "first_value(value)",
    over === "" ? "arg_max(value, measured_at)" : "last_value(value)",
  ]
    .map((aggregate, i) => `${aggregate}${over} AS f${i}`)
    .join(", ");

/** From the readings of the lake to the table of the features, against the same aggregates by the query engine's SQL. */
export async function benchBackfill(say: (text: string) => void): Promise<readonly BenchLine[]> {
  const folder = await LakeFolder.open();
  try {
    say(`making ${count(READINGS)} readings`);
    await fillReadings(folder);
    const lake = await Lake.open({
      store: folder.store,
      settings: lakeSettingsSchema.parse({ cacheDir: join(folder.dir, "cache") }),
      clock: systemClock,
      log: silentLog,
    });
    // Both sides read files that are there already.
    await lake.sql("SELECT count(*) FROM readings");
    let round = 0;
    const ours = async (): Promise<number> => {
      say("back-fill");
      const view = viewOf(round++);
      const spec = { view: { view, hash: viewHash(view) }, fromUs: START_US, toUs: START_US + 365 * DAY_US };
      return timed(() => backfill({ store: folder.store, lake }, spec, () => undefined));
    };
    const table = `read_parquet('${join(folder.dir, "lake/tables/readings/*/*.parquet")}')`;
    const run = (query: string): Promise<number> =>
      timed(() =>
        folder.duck.run(`COPY (${query}) TO '${join(folder.dir, "sql.parquet")}' (FORMAT parquet)`),
      );
    const grouped = (): Promise<number> => {
      say("SQL by groups");
      return run(
        `SELECT device, hop, ${aggregates()} FROM (SELECT device, value, measured_at,
           unnest(range(epoch_us(measured_at) // 10000000 - 5, epoch_us(measured_at) // 10000000 + 1)) AS hop FROM ${table})
         GROUP BY device, hop`,
      );
    };
    const windowed = (): Promise<number> => {
      say("SQL by window functions");
      return run(
        `SELECT device, measured_at, ${aggregates(" OVER w")} FROM ${table} WINDOW w AS (PARTITION BY device ORDER BY measured_at
           RANGE BETWEEN INTERVAL 60 SECONDS PRECEDING AND CURRENT ROW)`,
      );
    };
    const [own = NaN, byGroups = NaN, byWindows = NaN] = await interleave(ROUNDS, [ours, grouped, windowed]);
    await lake.close();
    const peakMib = await commandPeakMib(folder, say);
    return [
      lineOf("window functions (a window per reading)", own, { seconds: byWindows, mark: 1 }),
      // Shows how far a vectorised engine on two threads is ahead of one thread; it keeps no order and no revisions.
      lineOf("GROUP BY of each reading's six windows", own, { seconds: byGroups, mark: undefined }),
      atMost(`back-fill of ${count(READINGS)} readings: memory of the command at the most`, peakMib, {
        unit: "MiB",
        mark: 2_048,
      }),
    ];
  } finally {
    await folder.close();
  }
}

/** The same by the command that a user types, with a view of its own. */
async function commandPeakMib(folder: LakeFolder, say: (text: string) => void): Promise<number> {
  say("back-fill by the command");
  const view = join(folder.dir, "view.json");
  await writeFile(view, JSON.stringify(viewOf(-1)));
  const { peakMib } = await measureRun([
    join(root, "cloud/main.ts"),
    ...["features", "backfill", "--config", folder.config, "--view", view],
    ...["--from", new Date(START_US / 1_000).toISOString()],
    ...["--to", new Date((START_US + 365 * DAY_US) / 1_000).toISOString()],
  ]);
  return peakMib;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1_000;
}

function lineOf(
  sql: string,
  own: number,
  { seconds, mark }: { readonly seconds: number; readonly mark: number | undefined },
): BenchLine {
  const value = seconds / own;
  return {
    what: `back-fill of ${count(READINGS)} readings, 10 features, 60 s by 10 s, against SQL by ${sql}`,
    measured: `${own.toFixed(1)} s (${count(READINGS / own)} readings/s)`,
    reference: `${seconds.toFixed(1)} s DuckDB, 2 threads`,
    value,
    mark: mark === undefined ? "none" : `at least ${mark}`,
    reached: mark === undefined ? undefined : value >= mark,
  };
}

async function fillReadings(folder: LakeFolder): Promise<void> {
  const stepsPerDay = DAY_US / STEP_US;
  const steps = Math.ceil(READINGS / DEVICES);
  await folder.fill("readings", { firstDayUs: START_US, days: Math.ceil(steps / stepsPerDay) }, (day) => {
    const from = day * stepsPerDay;
    const to = Math.min(steps, from + stepsPerDay);
    return `SELECT 'gw-1' AS gateway, '${EPOCH}' AS epoch, step * ${DEVICES} + device AS "offset", 0::INTEGER AS "index",
        'd-' || device AS device, 'pump' AS device_type, 'vibration' AS metric, 'g' AS unit,
        make_timestamptz(${START_US} + step * ${STEP_US}) AS measured_at, make_timestamptz(${START_US} + step * ${STEP_US} + 2000) AS received_at,
        round(sin(step / 50.0 + device) + (hash(step, device) % 1000) / 1000.0, 3)::DOUBLE AS value, 'device' AS clock, false AS withheld
      FROM (SELECT range::BIGINT AS step FROM range(${from}, ${to})), (SELECT range::BIGINT AS device FROM range(${DEVICES}))
      ORDER BY "offset"`;
  });
}
