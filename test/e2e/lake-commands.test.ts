// Goal: the commands over the lake on what a real gateway has made. Method: a gateway lands three thousand readings; what
// was committed is verified, asked in every format, listed; then the lake is tampered with, and verify says so.
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { expect, test } from "vitest";
import { type Outcome, run } from "./programs.ts";
import { connectPublisher, numbered, publishAll, Site } from "./site.ts";

const START_MS = Date.UTC(2026, 9, 1, 8);

async function siteWithReadings(): Promise<Site> {
  const site = await Site.make();
  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  await publishAll(publisher, numbered(0, 3_000, START_MS));
  await publisher.stop();
  await gateway.drained();
  await gateway.stop();
  return site;
}

const cloud = (site: Site, ...args: readonly string[]): Promise<Outcome> =>
  run("cloud", ...args, "--config", site.cloudFile);

test(
  "what a gateway sent is proved, asked in every format, and listed; a lake that was tampered with is caught",
  { timeout: 120_000 },
  async () => {
    const site = await siteWithReadings();

    const before = await cloud(site, "verify", "--json");
    expect(before.code).toBe(0);
    expect(JSON.parse(before.stdout)).toMatchObject({ state: "explained" });
    expect(JSON.parse(before.stdout).findings[0]).toMatchObject({ kind: "landed", explained: true });

    expect((await cloud(site, "commit")).code).toBe(0);
    const after = await cloud(site, "verify", "--deep", "--by-device");
    expect(after).toMatchObject({ code: 0, stderr: "" });
    expect(after.stdout).toMatch(/^complete: 0 unexplained/);
    expect(after.stdout).toMatch(/e2e +\w{8} +readings +\d+ +3,000 +\d+ +complete/);
    expect(after.stdout).toMatch(/e2e +pump-1 +2026-10-01T08:00 +3,000 +complete/);

    await asksInEveryFormat(site);
    await listsTables(site);
    await catchesTampering(site);
  },
);

async function asksInEveryFormat(site: Site): Promise<void> {
  const query = 'SELECT "offset", device, measured_at, value FROM readings ORDER BY "offset" LIMIT 10';
  const answer = async (format: string): Promise<Uint8Array<ArrayBuffer>> => {
    const file = join(site.dir, `answer.${format}`);
    const asked = await cloud(site, "sql", query, "--out", file);
    expect(asked).toMatchObject({ code: 0, stdout: `10 rows in ${file}\n`, stderr: "" });
    return Uint8Array.from(await readFile(file));
  };
  const csv = new TextDecoder().decode(await answer("csv"));
  expect(csv.split("\n")[0]).toBe("offset,device,measured_at,value");
  const table = tableFromIPC(await answer("arrow"));
  expect(table.numRows).toBe(10);
  expect(table.schema.fields.map(({ type }) => String(type))).toEqual([
    "Int64",
    "Utf8",
    "Timestamp<MICROSECOND, UTC>",
    "Float64",
  ]);
  expect(table.get(3)?.toJSON()).toMatchObject({ device: "pump-1", value: 3 });
  const rows = await parquetReadObjects({ file: (await answer("parquet")).buffer, compressors });
  expect(rows[3]).toMatchObject({ device: "pump-1", value: 3 });
  const refused = await cloud(site, "sql", query, "--format", "arrow");
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("--out answer.arrow") });
  const endless = "SELECT count(*) FROM range(100000000000) AS a, readings WHERE a.range % 7 = value";
  const slow = await cloud(site, "sql", endless, "--timeout", "1");
  expect(slow).toMatchObject({ code: 1, stderr: expect.stringContaining("sql.timeout") });
}

async function listsTables(site: Site): Promise<void> {
  const list = JSON.parse((await cloud(site, "lake", "ls", "--json")).stdout);
  expect(list.tables).toContainEqual(
    expect.objectContaining({
      table: "readings",
      rows: 3_000,
      newestRow: expect.stringMatching(/^2026-10-01T08/),
    }),
  );
  const show = await cloud(site, "lake", "show", "readings");
  expect(show.stdout).toMatch(/measured_at +timestamp +when the reading was measured/);
  const history = await cloud(site, "lake", "history", "readings", "--limit", "1");
  expect(history).toMatchObject({ code: 0 });
  expect(history.stdout).toMatch(/WRITE .*3,000.* e2e/);
}

async function catchesTampering(site: Site): Promise<void> {
  const folder = join(site.dir, "lake", "tables", "readings");
  const files = await readdir(folder, { recursive: true });
  const file = files.find((name) => name.endsWith(".parquet")) ?? "";
  await rm(join(folder, file));
  const verified = await cloud(site, "verify");
  expect(verified.code).toBe(1);
  expect(verified.stdout).toContain(`NOT EXPLAINED file: readings`);
  expect(verified.stdout).toContain("is in the table's log and not in the lake");
}
