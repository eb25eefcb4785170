import { join } from "node:path";
import { publishView } from "@sluice/cloud/feature-store/views.ts";
import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { DAY_US, LakeFolder } from "./lake-folder.ts";
import { atMost, type BenchLine, count } from "./line.ts";
import { measureRun } from "./measured-run.ts";
import { root } from "./process.ts";

const VECTORS = Number(process.env["BENCH_JOIN_VECTORS"] ?? 10_000_000);
const ROWS = Number(process.env["BENCH_JOIN_ROWS"] ?? 1_000_000);
const DEVICES = 100;
const HOP_US = 10_000_000;
const START_US = 20_778 * DAY_US;
/** Rows that are looked up again by SQL that says the definition word by word. */
const CHECKED_ROWS = 200;
const EPOCH = "0198a6d2-8c1f-4a5e-9d3b-2f6f0c9a1b7e";

const VIEW = featureViewSchema.parse({
  name: "bench",
  owner: "bench",
  match: { deviceType: "pump" },
  window: { kind: "hopping", sizeMs: 60_000, hopMs: 10_000 },
  inputs: { a: { metric: "vibration" } },
  features: ["mean", "std", "min", "max", "rms", "peak", "crest_factor", "slope", "first", "last"].map(
    (fn) => ({
      name: fn,
      fn,
      of: "a",
    }),
  ),
});

/** The point-in-time join by the command that a user types: a million rows against ten million vectors. */
export async function benchJoin(say: (text: string) => void): Promise<readonly BenchLine[]> {
  const lake = await LakeFolder.open();
  try {
    say(`making ${count(VECTORS)} vectors`);
    const hash = await publishView(lake.store, VIEW);
    await fillVectors(lake, hash);
    const rows = join(lake.dir, "requests.parquet");
    await lake.duck.run(
      `COPY (SELECT range AS id, 'd-' || (hash(range) % ${DEVICES}) AS device,
         make_timestamptz(${START_US} + (hash(range, 1) % ${Math.floor(VECTORS / DEVICES) * HOP_US})::BIGINT) AS event_time
       FROM range(${ROWS})) TO '${rows}' (FORMAT parquet)`,
    );
    say(`joining ${count(ROWS)} rows`);
    const out = join(lake.dir, "joined.parquet");
    const args = ["cloud/main.ts", "features", "join", "--config", lake.config, "--view", "bench"];
    const run = await measureRun([
      ...args.map((arg) => (arg === "cloud/main.ts" ? join(root, arg) : arg)),
      "--rows",
      rows,
      "--out",
      out,
    ]);
    say("checking a sample by SQL");
    const wrong = await checkSample(lake, { rows, out });
    const what = `point-in-time join, ${count(ROWS)} rows against ${count(VECTORS)} vectors of 10 features`;
    return [
      atMost(`${what}: time`, run.seconds, { unit: "s", mark: 60 }),
      atMost(`${what}: memory at the most`, run.peakMib, { unit: "MiB", mark: 2_048 }),
      atMost(`${what}: wrong of ${CHECKED_ROWS} rows looked up by SQL`, wrong, { unit: "rows", mark: 0 }),
    ];
  } finally {
    await lake.close();
  }
}

/** A window of each device every ten seconds; one in twenty is known up to a day late, one in fifty was corrected. */
async function fillVectors(lake: LakeFolder, hash: string): Promise<void> {
  const hopsPerDay = DAY_US / HOP_US;
  const hops = Math.ceil(VECTORS / DEVICES);
  const days = Math.ceil(hops / hopsPerDay);
  await lake.fill("features", { firstDayUs: START_US, days }, (day) => {
    const from = day * hopsPerDay;
    const to = Math.min(hops, from + hopsPerDay);
    const values = VIEW.features.map((_, i) => `round(sin(hop / 7.0 + device + ${i}), 4)`).join(", ");
    return `SELECT 'gw-1' AS gateway, '${EPOCH}' AS epoch, hop * ${DEVICES} + device AS seq, 'bench' AS "view", '${hash}' AS view_hash,
        'd-' || device AS device, 'pump' AS device_type,
        make_timestamptz(${START_US} + (hop - 6) * ${HOP_US}) AS window_start, make_timestamptz(${START_US} + hop * ${HOP_US}) AS window_end,
        (CASE WHEN hash(hop, device, 2) % 50 = 0 THEN 1 ELSE 0 END)::INTEGER AS revision, 0::BIGINT AS since_offset, hop AS through_offset,
        make_timestamptz(${START_US} + hop * ${HOP_US} + CASE WHEN hash(hop, device) % 20 = 0
          THEN (hash(hop, device, 3) % ${DAY_US})::BIGINT ELSE 5000000 END) AS closed_at,
        'watermark' AS closed_by, 600::INTEGER AS reading_count, [${values}] AS "values", []::VARCHAR[] AS violations, false AS withheld
      FROM (SELECT range::BIGINT AS hop FROM range(${from}, ${to})), (SELECT range::BIGINT AS device FROM range(${DEVICES}))`;
  });
}

async function checkSample(
  lake: LakeFolder,
  files: { readonly rows: string; readonly out: string },
): Promise<number> {
  const table = join(lake.dir, "lake/tables/features/*/*.parquet");
  const reader = await lake.duck.runAndReadAll(
    `WITH asked AS (SELECT * FROM '${files.rows}' WHERE id % ${Math.max(1, Math.floor(ROWS / CHECKED_ROWS))} = 0),
       answer AS (
         SELECT a.id, f.window_end, f."values" FROM asked AS a LEFT JOIN (FROM read_parquet('${table}')) AS f
           ON f.device = a.device AND f.window_end <= a.event_time AND f.closed_at <= a.event_time
         QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY f.window_end DESC, f.revision DESC, f.seq DESC) = 1)
     SELECT count(*) FILTER (o.bench__window_end IS DISTINCT FROM answer.window_end OR o.bench__last IS DISTINCT FROM
       CASE WHEN o.bench__status = 'PRESENT' THEN answer."values"[10] END), count(*)
     FROM answer LEFT JOIN '${files.out}' AS o USING (id)`,
  );
  const [wrong = NaN, checked = 0] = (reader.getRows()[0] ?? []).map(Number);
  return checked >= Math.min(ROWS, CHECKED_ROWS) ? wrong : NaN;
}
