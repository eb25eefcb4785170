import { join } from "node:path";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { DAY_US, LakeFolder } from "./lake-folder.ts";
import { atMost, type BenchLine, count, median } from "./line.ts";
import { measureRun } from "./measured-run.ts";
import { root } from "./process.ts";

/** 100,000,000 for the figure of the design; as many as fit into a minute or two otherwise. */
const ROWS = Number(process.env["BENCH_ROWS"] ?? 10_000_000);
const DEVICES = 100;
const METRICS = 12;
/** A reading of each series every ten seconds, so that 100 million rows are ten days of 120 devices. */
const STEP_US = 10_000_000;
const START_US = 20_778 * DAY_US;
const EPOCH = "0198a6d2-8c1f-4a5e-9d3b-2f6f0c9a1b7e";
const ASKS = 15;
/** Hours of a day that have readings. */
const HOURS = Math.min(24, Math.floor(((ROWS / DEVICES / METRICS) * STEP_US) / 3_600_000_000));

/** One device's hour out of tables that the command has compacted, by `Lake.sql` with a cache that has the files. */
export async function benchCompact(say: (text: string) => void): Promise<readonly BenchLine[]> {
  const folder = await LakeFolder.open();
  try {
    say(`making ${count(ROWS)} readings`);
    const days = await fillReadings(folder);
    say(`compacting ${days} days`);
    const args = ["compact", "--table", "readings", "--config", folder.config, "--json"];
    const run = await measureRun([join(root, "cloud/main.ts"), ...args]);
    const { days: done }: { readonly days: readonly CompactedDay[] } = JSON.parse(run.stdout);
    const sum = (of: (day: (typeof done)[number]) => number): number =>
      done.reduce((total, day) => total + of(day), 0);
    const rows = sum((day) => day.rows);
    say("asking for one device's hour");
    const asked = await askHours(folder, days);
    const what = `one device's hour of ${METRICS} metrics out of ${count(rows)} compacted readings, warm cache`;
    const compaction = `compaction of ${sum((day) => day.filesBefore)} files to ${sum((day) => day.filesAfter)}`;
    return [
      atMost(`${what}: median of ${ASKS} devices`, median(asked), { unit: "ms", mark: 100 }),
      atMost("compacted table, plant-like readings", sum((day) => day.bytesAfter) / rows, {
        unit: "bytes/reading",
        mark: 5,
      }),
      unmarked(`${compaction}, read back and compared`, rows / run.seconds, "rows/s"),
      unmarked(`${compaction}: memory at the most`, run.peakMib, "MiB"),
    ];
  } finally {
    await folder.close();
  }
}

/** What `compact --json` prints of a day. */
interface CompactedDay {
  readonly rows: number;
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly bytesAfter: number;
}

const unmarked = (what: string, value: number, unit: string): BenchLine => ({
  what,
  measured: `${count(value)} ${unit}`,
  reference: "",
  value,
  mark: "none",
  reached: undefined,
});

/** Sensors as they are: slow walks and shifts, quantised, with jitter in time; one file per day as committers leave many. */
async function fillReadings(folder: LakeFolder): Promise<number> {
  const stepsPerDay = DAY_US / STEP_US;
  const steps = Math.ceil(ROWS / DEVICES / METRICS);
  const days = Math.ceil(steps / stepsPerDay);
  await folder.fill("readings", { firstDayUs: START_US, days }, (day) => {
    const from = day * stepsPerDay;
    const to = Math.min(steps, from + stepsPerDay);
    // One message brings all metrics of a device, so they share its time.
    return `SELECT 'gw-' || (device % 10) AS gateway, '${EPOCH}' AS epoch, step * ${DEVICES} + device AS "offset", metric::INTEGER AS "index",
        'pump-' || device AS device, 'pump' AS device_type, 'metric_' || metric AS metric, 'g' AS unit,
        make_timestamptz(at_us) AS measured_at, make_timestamptz(at_us + 1000 + (hash(step, device, 1) % 4000)::BIGINT) AS received_at,
        round(10 * metric + 2 * sin(step / 700.0 + device) + (hash(step, device, metric) % 64)::DOUBLE / 640, 2) AS "value",
        'gateway' AS clock, false AS withheld
      FROM (SELECT step, device, ${START_US} + step * ${STEP_US} + (hash(step, device) % 50000)::BIGINT AS at_us
        FROM (SELECT range::BIGINT AS step FROM range(${from}, ${to})), (SELECT range::BIGINT AS device FROM range(${DEVICES}))),
        (SELECT range::BIGINT AS metric FROM range(${METRICS}))`;
  });
  return days;
}

/** How long each answer takes, after those that fill the cache. */
async function askHours(folder: LakeFolder, days: number): Promise<readonly number[]> {
  const lake = await Lake.open({
    store: folder.store,
    settings: lakeSettingsSchema.parse({ cacheDir: join(folder.dir, "cache") }),
    clock: systemClock,
    log: silentLog,
  });
  const asked: number[] = [];
  for (let i = -days; i < ASKS; i++) {
    // The last day may have ended early.
    const day = (i + days) % Math.max(1, days - 1);
    const hourMs = (START_US + day * DAY_US) / 1_000 + ((i + days) % HOURS) * 3_600_000;
    const [from, to] = [hourMs, hourMs + 3_600_000].map((ms) => new Date(ms).toISOString());
    const startedAt = performance.now();
    const { rows } = await lake.sql(
      `SELECT metric, measured_at, "value" FROM readings WHERE device = 'pump-${((i + days) * 37) % DEVICES}'
         AND measured_at >= '${from}' AND measured_at < '${to}' ORDER BY metric, measured_at`,
    );
    if (i < 0) continue;
    asked.push(performance.now() - startedAt);
    if (rows.length === 0) throw new Error(`no rows from ${from} to ${to}`);
  }
  await lake.close();
  return asked;
}
