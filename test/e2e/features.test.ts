// Goal: the commands of the feature store on what a real gateway has made. Method: a gateway computes one view live; a
// second view is checked, back-filled, listed, compared, joined with rows of every format, and verified to the bit.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RecordBatchFileWriter, Table, TimestampMicrosecond, vectorFromArray } from "apache-arrow";
import { parquetWriteFile } from "hyparquet-writer";
import { expect, test } from "vitest";
import { type Outcome, run } from "./programs.ts";
import { connectPublisher, numbered, publishAll, SECONDS_VIEW, Site } from "./site.ts";

const START_MS = Date.UTC(2026, 9, 1);
const iso = (s: number): string => new Date(START_MS + s * 1_000).toISOString();

const FIVE_SECONDS_VIEW = {
  ...SECONDS_VIEW,
  name: "five_seconds",
  description: "Five seconds at once.",
  window: { ...SECONDS_VIEW.window, sizeMs: 5_000 },
  features: [{ name: "n_last", fn: "last", of: "n", unit: "pieces", description: "The last number." }],
};

/** A site whose gateway has seen 30 seconds of one pump and is stopped; all of it is in the tables. */
async function siteWithVectors(): Promise<Site> {
  const site = await Site.make();
  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  await publishAll(publisher, numbered(0, 3_000, START_MS));
  await publisher.stop();
  await gateway.drained();
  await gateway.stop();
  await site.cloud("commit");
  return site;
}

const features = (site: Site, ...args: readonly string[]): Promise<Outcome> =>
  run("cloud", "features", ...args, "--config", site.cloudFile);

test("a view is checked, back-filled once, listed, shown, compared, and verified to the bit", async () => {
  const site = await siteWithVectors();
  const file = await site.write("five-seconds.json", JSON.stringify(FIVE_SECONDS_VIEW));
  const wrong = await site.write(
    "wrong.json",
    JSON.stringify({ ...FIVE_SECONDS_VIEW, features: [{ name: "x", fn: "mad_max", of: "n" }] }),
  );

  const lint = await run("cloud", "features", "lint", file, wrong);
  expect(lint.code).toBe(1);
  expect(lint.stdout).toMatch(/five-seconds\.json: in order: five_seconds@[0-9a-f]{12}/);
  expect(lint.stdout).toMatch(/wrong\.json: features\.0\.fn: .*mad_max/);

  const fill = ["backfill", "--view", file, "--from", iso(0), "--to", iso(60), "--json"];
  const first = JSON.parse((await features(site, ...fill)).stdout)[0];
  expect(first).toMatchObject({ gateway: "e2e", readings: 3_000, vectors: 5, added: 5 });
  expect(JSON.parse((await features(site, ...fill)).stdout)[0]).toMatchObject({ vectors: 5, added: 0 });

  const renamed = await site.write("renamed.yaml", JSON.stringify({ ...FIVE_SECONDS_VIEW, name: "copy" }));
  const warned = await features(site, "lint", renamed);
  expect(warned).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("copy computes what five_seconds@"),
  });

  const ls = await features(site, "ls");
  expect(ls.stdout).toMatch(
    /five_seconds +[0-9a-f]{12} +e2e +device \(pump\) +5 s tumbling +1 +5 +2026-10-01T00:00:25/,
  );
  expect(ls.stdout).toMatch(/seconds +[0-9a-f]{12} .*1 s tumbling +2 +29 .* e2e$/m);
  const show = await features(site, "show", "five_seconds");
  expect(show.stdout).toContain("5, of them back-filled 5");
  expect(show.stdout).toMatch(/n_last +last of n +pieces +n +- +The last number\./);
  const diff = await features(site, "diff", "seconds", file);
  expect(diff).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("window.sizeMs: 1000 becomes 5000"),
  });
  expect((await features(site, "diff", "five_seconds", file)).code).toBe(0);

  expect(await run("cloud", "features", "diff", file, file)).toMatchObject({
    code: 0,
    stdout: "The two are the same view.\n",
  });
  expect((await run("cloud", "features", "diff", "seconds", file)).code).toBe(2);

  const rows = await site.verifyFeatures();
  expect(rows.map(({ vectors, equal }) => `${equal} of ${vectors}`).sort()).toEqual(["29 of 29", "5 of 5"]);
}, 120_000);

test("rows of every format come back once each with what was known, and wrong use is said with exit code 2", async () => {
  const site = await siteWithVectors();
  // The gateway knew the vectors only when their messages came: today.
  const known = ["--known-at", "2100-01-01T00:00:00Z", "--view", "seconds"];
  const seconds = [3.5, 10, 500, 3.5];
  await site.write(
    "rows.csv",
    `device,event_time,note\n${seconds.map((s) => `pump-1,${iso(s)},"a, ""b"""`).join("\n")}\n`,
  );
  parquetWriteFile({
    filename: join(site.dir, "rows.parquet"),
    columnData: [
      { name: "device", data: seconds.map(() => "pump-1"), type: "STRING" },
      { name: "event_time", data: seconds.map((s) => BigInt((START_MS + s * 1_000) * 1_000)), type: "INT64" },
    ],
  });
  const times = vectorFromArray(
    seconds.map((s) => START_MS + s * 1_000),
    new TimestampMicrosecond("UTC"),
  );
  const table = new Table({ device: vectorFromArray(seconds.map(() => "pump-1")), event_time: times });
  await writeFile(join(site.dir, "rows.arrow"), RecordBatchFileWriter.writeAll(table).toUint8Array(true));

  for (const format of ["csv", "parquet", "arrow"]) {
    const out = join(site.dir, `out-${format}.csv`);
    const joined = await features(
      site,
      "join",
      ...known,
      "--rows",
      join(site.dir, `rows.${format}`),
      "--out",
      out,
      "--json",
    );
    expect(joined.stderr).toBe("");
    expect(JSON.parse(joined.stdout)).toMatchObject({
      rows: 4,
      views: [{ statuses: { PRESENT: 4 } }],
    });
    const lines = (await readFile(out, "utf8")).trimEnd().split("\n");
    const cells = lines.map((line) => line.split(",").slice(-6));
    expect(cells.map(([status, end, , , mean, max]) => [status, end, mean, max])).toEqual([
      ["seconds__status", "seconds__window_end", "seconds__n_mean", "seconds__n_max"],
      ["PRESENT", "2026-10-01T00:00:03.000000Z", "249.5", "299.0"],
      ["PRESENT", "2026-10-01T00:00:10.000000Z", "949.5", "999.0"],
      ["PRESENT", "2026-10-01T00:00:29.000000Z", "2849.5", "2899.0"],
      ["PRESENT", "2026-10-01T00:00:03.000000Z", "249.5", "299.0"],
    ]);
  }

  const rows = join(site.dir, "rows.csv");
  const out = join(site.dir, "out.csv");
  const asThen = await features(site, "join", "--view", "seconds", "--rows", rows, "--out", out, "--json");
  expect(JSON.parse(asThen.stdout).views[0].statuses).toEqual({ NOT_FOUND: 4 });
  const refusals: readonly (readonly [readonly string[], RegExp])[] = [
    [["join", "--view", "second", "--rows", rows, "--out", out], /no view "second" in the lake/],
    [["join", "--view", "seconds", "--out", out], /which rows are to be joined/],
    [
      ["join", "--view", "seconds", "--rows", join(site.dir, "none.csv"), "--out", out],
      /none.csv cannot be read/,
    ],
    [["join", "--view", "seconds", "--rows", rows, "--out", "out.txt"], /does not say a format/],
    [["join", "--view", "seconds", "--rows", rows, "--out", join(site.dir, "no/folder.csv")], /cannot write/],
    [["backfill", "--view", "seconds", "--from", "soon", "--to", iso(1)], /--from soon is not a time/],
  ];
  for (const [args, message] of refusals) {
    const refused = await features(site, ...args);
    expect([args, refused.code, refused.stderr]).toEqual([args, 2, expect.stringMatching(message)]);
  }
}, 120_000);
