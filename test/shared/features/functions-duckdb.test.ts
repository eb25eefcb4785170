// Goal: the library gives what an independent implementation gives, on readings of real machines. Method: windows of
// recorded data; the same windows in DuckDB, by its own aggregates and window functions. SLUICE_DATA names the folder
// of the data, as for `npm run recorded`; without it nothing is compared, which is said aloud.
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askReadOnly, SqlEngine } from "@sluice/cloud/lake/sql.ts";
import { compileView } from "@sluice/shared/features/compile-view.ts";
import { Samples } from "@sluice/shared/features/samples.ts";
import { expect, onTestFinished, test } from "vitest";
import { viewOf, type TestFeature } from "./readings.ts";

const dataDir = process.env["SLUICE_DATA"] ?? join(import.meta.dirname, "../../../../shared/data");

interface Row {
  readonly window: number;
  readonly atUs: number;
  readonly a: number;
  readonly b: number;
}

/** 2026-01-01 in UTC; recordings without a time begin there. */
const ZERO_US = 1_767_225_600_000_000;

const both = { of: ["a", "b"] };

/** Each function beside what it is in SQL, over `p`: the rows of one window, with what is before each of them. */
const COMPARED: readonly (readonly [feature: TestFeature, sql: string])[] = [
  [{ fn: "count" }, "count(*)"],
  [{ fn: "mean" }, "favg(a)"],
  [{ fn: "min" }, "min(a)"],
  [{ fn: "max" }, "max(a)"],
  [{ fn: "range" }, "max(a) - min(a)"],
  [{ fn: "sum" }, "fsum(a)"],
  [{ fn: "variance" }, "var_samp(a)"],
  [{ fn: "std" }, "stddev_samp(a)"],
  [{ fn: "rms" }, "sqrt(favg(a * a))"],
  [{ fn: "peak" }, "max(abs(a))"],
  [{ fn: "crest_factor" }, "max(abs(a)) / sqrt(favg(a * a))"],
  [{ fn: "shape_factor" }, "sqrt(favg(a * a)) / favg(abs(a))"],
  [{ fn: "impulse_factor" }, "max(abs(a)) / favg(abs(a))"],
  // DuckDB's is that of a sample, G1 of Joanes & Gill; its sums of powers need values around 0.
  [{ fn: "skewness" }, "skewness(d) * (count(*) - 2) / sqrt(count(*) * (count(*) - 1))"],
  [{ fn: "kurtosis" }, "kurtosis_pop(d) + 3"],
  [{ fn: "median" }, "median(a)"],
  [{ fn: "quantile", with: { q: 0.9 } }, "quantile_cont(a, 0.9)"],
  [{ fn: "iqr" }, "quantile_cont(a, 0.75) - quantile_cont(a, 0.25)"],
  [{ fn: "mad" }, "mad(a)"],
  [{ fn: "first" }, "arg_min(a, t)"],
  [{ fn: "last" }, "arg_max(a, t)"],
  [{ fn: "delta" }, "arg_max(a, t) - arg_min(a, t)"],
  [{ fn: "slope" }, "regr_slope(d, s)"],
  [{ fn: "zero_crossings" }, "count(*) FILTER (sign(a) * sign1 < 0)"],
  [{ fn: "integral" }, "fsum((a + a1) / 2 * (t - t1)) / 1e6"],
  [{ fn: "time_weighted_mean" }, "fsum((a + a1) / 2 * (t - t1)) / (max(t) - min(t))"],
  [
    { fn: "time_above", with: { threshold: 0 } },
    "fsum(CASE WHEN a > 0 AND a1 > 0 THEN t - t1 WHEN a > 0 OR a1 > 0 THEN (t - t1) * greatest(a, a1) / abs(a - a1) ELSE 0 END) / 1e6",
  ],
  [
    { fn: "time_below", with: { threshold: 0 } },
    "fsum(CASE WHEN a < 0 AND a1 < 0 THEN t - t1 WHEN a < 0 OR a1 < 0 THEN (t - t1) * -least(a, a1) / abs(a - a1) ELSE 0 END) / 1e6",
  ],
  [
    { fn: "entropy", with: { bins: 16, low: -1, high: 1 } },
    "entropy(least(greatest(floor((a + 1) / 2 * 16), 0), 15))",
  ],
  [{ fn: "correlation", ...both }, "corr(a, b)"],
  [{ fn: "covariance", ...both }, "covar_samp(a, b)"],
  [{ fn: "sum_of_products", ...both }, "fsum(a * b)"],
  [{ fn: "pair_count", ...both }, "regr_count(a, b)"],
  [{ fn: "ratio", ...both }, "favg(a) / favg(b)"],
  [{ fn: "difference", ...both }, "favg(a) - favg(b)"],
  [{ fn: "staleness" }, "0.000001"],
  [{ fn: "hour", of: undefined }, "hour(make_timestamp(max(t)))"],
  [{ fn: "weekday", of: undefined }, "isodow(make_timestamp(max(t)))"],
  [{ fn: "day_of_year", of: undefined }, "dayofyear(make_timestamp(max(t)))"],
];

/** Each function of a device's history beside what it is over its windows in order. */
const HISTORY: readonly (readonly [feature: TestFeature, sql: string])[] = [
  [{ fn: "cumulative_mean" }, "avg(m) OVER (ORDER BY w)"],
  [{ fn: "deviation" }, "m - avg(m) OVER (ORDER BY w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"],
  [
    { fn: "deviation", from: "first_windows", with: { windows: 3 } },
    "CASE WHEN w > 0 THEN m - avg(CASE WHEN w < 3 THEN m END) OVER (ORDER BY w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) END",
  ],
  [{ fn: "change" }, "m - lag(m) OVER (ORDER BY w)"],
  [{ fn: "rate_of_change" }, "(m - lag(m) OVER (ORDER BY w)) / (e - lag(e) OVER (ORDER BY w)) * 1e6"],
  [{ fn: "lag", with: { windows: 3 } }, "lag(m, 3) OVER (ORDER BY w)"],
  [{ fn: "window_count", of: undefined }, "row_number() OVER (ORDER BY w)"],
  [{ fn: "age", of: undefined }, "(e - first_value(e) OVER (ORDER BY w)) / 1e6"],
];

const QUERY = `
  WITH q AS (
    SELECT *, a - avg(a) OVER (PARTITION BY w) AS d, (t - min(t) OVER (PARTITION BY w)) / 1e6 AS s,
      lag(a) OVER (PARTITION BY w ORDER BY t) AS a1, lag(t) OVER (PARTITION BY w ORDER BY t) AS t1,
      lag(nullif(sign(a), 0) IGNORE NULLS) OVER (PARTITION BY w ORDER BY t) AS sign1
    FROM read_csv($file, columns = {w: 'BIGINT', t: 'BIGINT', a: 'DOUBLE', b: 'DOUBLE'})
  ), p AS (
    SELECT w, favg(a) AS m, max(t) + 1 AS e, ${COMPARED.map(([, sql], i) => `CAST(${sql} AS DOUBLE) AS f${i}`).join(", ")} FROM q GROUP BY w
  )
  SELECT ${[...COMPARED.map((_, i) => `f${i}`), ...HISTORY.map(([, sql]) => `CAST(${sql} AS DOUBLE)`)].join(", ")}
  FROM p ORDER BY w`;

/** Lines of a text file of numbers; those of a header or of another shape are left out. */
function table(file: string, separator: string | RegExp): number[][] {
  return readFileSync(join(dataDir, file), "utf8")
    .split("\n")
    .map((line) => line.trim().split(separator).map(Number))
    .filter((cells) => cells.length > 1 && !cells.slice(1).some(Number.isNaN));
}

function skab(): Row[] {
  return readFileSync(join(dataDir, "skab/data/valve1/0.csv"), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line, i) => {
      const [time = "", ...cells] = line.split(";");
      const [a = NaN, , b = NaN] = cells.map(Number);
      return { window: Math.floor(i / 60), atUs: Date.parse(`${time.replace(" ", "T")}Z`) * 1_000, a, b };
    });
}

const gasTurbine = (): Row[] =>
  table("gas-turbine/gt_2011.csv", ",").map(([a = NaN, , , , , , , b = NaN], i) => ({
    window: Math.floor(i / 24),
    atUs: ZERO_US + i * 3_600_000_000,
    a,
    b,
  }));

/** A window is the whole life of an engine, a cycle an hour. */
const turbofan = (): Row[] =>
  table("cmapss/train_FD001.txt", /\s+/).map(([unit = 0, , , , , , a = NaN, , b = NaN], i) => ({
    window: unit - 1,
    atUs: ZERO_US + i * 3_600_000_000,
    a,
    b,
  }));

/** 12 kHz, beside the sample before. */
function bearing(): Row[] {
  const bytes = readFileSync(join(dataDir, "cwru/1797_IR_7_DE12.f32"));
  return Array.from({ length: 24_000 }, (_, i) => ({
    window: Math.floor(i / 1_200),
    atUs: ZERO_US + Math.round((i * 1_000_000) / 12_000),
    a: bytes.readFloatLE(i * 4),
    b: bytes.readFloatLE(Math.max(0, i - 1) * 4),
  }));
}

async function inDuckDb(rows: readonly Row[]): Promise<readonly (readonly unknown[])[]> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-functions-"));
  const file = join(dir, "rows.csv");
  await writeFile(
    file,
    `w,t,a,b\n${rows.map(({ window, atUs, a, b }) => `${window},${atUs},${a},${b}`).join("\n")}\n`,
  );
  const engine = await SqlEngine.open({
    filesDir: dir,
    spillDir: join(dir, "spill"),
    workDir: join(dir, "work"),
    memoryLimitMb: 512,
  });
  const connection = await engine.connect();
  onTestFinished(async () => {
    connection.closeSync();
    engine.close();
    await rm(dir, { recursive: true });
  });
  return (await askReadOnly(connection, QUERY.replace("$file", `'${file}'`), { rowsMax: 10_000 })).rows;
}

/** The library over the same windows, which end a microsecond after their last reading. */
function inLibrary(rows: readonly Row[]): (number | undefined)[][] {
  const view = compileView(viewOf([...COMPARED, ...HISTORY].map(([feature]) => feature)));
  const state = new Float64Array(view.stateDoubles);
  return [...Map.groupBy(rows, ({ window }) => window).values()].map((inWindow) => {
    const times = Float64Array.from(inWindow, ({ atUs }) => atUs);
    const inputs = (["a", "b"] as const).map((input) => {
      const samples = new Samples();
      samples.reset(
        times,
        Float64Array.from(inWindow, (row) => row[input]),
        0,
        times.length,
      );
      return samples;
    });
    const bounds = { startUs: times[0] ?? 0, endUs: (times.at(-1) ?? 0) + 1 };
    const values = view.evaluate(inputs, state, bounds);
    view.advance(inputs, state, bounds);
    return values;
  });
}

const NAMES = [...COMPARED, ...HISTORY].map(([{ fn, from = "" }]) => `${fn} ${from}`.trim());

/** Both within a billionth; sums of powers in DuckDB are not compensated. */
function differs(found: number | undefined, expected: unknown): boolean {
  if (found === undefined || typeof expected !== "number") return found !== (expected ?? undefined);
  return Math.abs(found - expected) > 1e-9 * Math.max(1, Math.abs(expected));
}

const RECORDINGS: readonly (readonly [name: string, rows: () => readonly Row[], windows: number])[] = [
  ["a pump on a test bench (SKAB valve1)", skab, 20],
  ["a gas turbine", gasTurbine, 309],
  ["turbofans (C-MAPSS FD001)", turbofan, 100],
  ["a bearing with a fault (CWRU)", bearing, 20],
];

const there = existsSync(join(dataDir, "skab/data"));
if (!there)
  console.error(
    `SKIPPED: the functions are compared with no other implementation: there is no ${dataDir}; set SLUICE_DATA.`,
  );

test.skipIf(!there).each(RECORDINGS)(
  "on the readings of %s the library gives what DuckDB gives",
  async (_, rowsOf, windows) => {
    const rows = rowsOf();
    const expected = await inDuckDb(rows);
    const found = inLibrary(rows);
    expect(expected).toHaveLength(windows);
    const wrong = found.flatMap((values, w) =>
      values.flatMap((value, i) =>
        differs(value, expected[w]?.[i])
          ? [`${NAMES[i]} of window ${w}: ${value}, not ${String(expected[w]?.[i])}`]
          : [],
      ),
    );
    expect(wrong).toEqual([]);
  },
);
