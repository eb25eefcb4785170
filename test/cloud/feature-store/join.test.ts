import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { joinFeatures } from "@sluice/cloud/feature-store/join.ts";
import { viewHash } from "@sluice/shared/codec/hash.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import { tableFromIPC } from "apache-arrow";
import * as fc from "fast-check";
import { readParquet } from "parquet-wasm";
import { expect, test } from "vitest";
import { label, land, vector } from "../lake/rows.ts";
import { EPOCH, openLake, type OpenedLake, pumpView } from "./lake.ts";

const SECOND_US = 1_000_000;
const VIEW = pumpView();
const quiet = (): void => undefined;
const published = (view: FeatureView) => ({ view, hash: viewHash(view) });

/** Vectors of one buffer by what matters to a join; seq is the place in the list. */
interface Given {
  readonly device?: string;
  readonly endS: number;
  readonly knownS: number;
  readonly revision?: number;
  readonly values?: readonly (number | undefined)[];
  readonly withheld?: boolean;
}

async function landVectors(
  { store }: OpenedLake,
  given: readonly Given[],
  place: {
    readonly view?: FeatureView;
    readonly gateway?: string;
    readonly epoch?: string;
    readonly from?: number;
  } = {},
): Promise<void> {
  const { view = VIEW, gateway = "gw-1", epoch = EPOCH, from = 0 } = place;
  const rows = given.map(
    (
      { device = "pump-1", endS, knownS, revision = 0, values = [endS, knownS], withheld = false },
      i,
    ): StoredVector =>
      vector(from + i, {
        view: view.name,
        viewHash: viewHash(view),
        device,
        windowStartUs: (endS - 1) * SECOND_US,
        windowEndUs: endS * SECOND_US,
        closedAtUs: knownS * SECOND_US,
        revision,
        values,
        withheld,
      }),
  );
  await land(store, { stream: "features", gateway, epoch, from, to: from + rows.length - 1 }, [rows]);
}

interface Joined {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Joins the lines of a CSV file and reads what came out. */
async function joinCsv(
  opened: OpenedLake,
  lines: readonly string[],
  {
    views = [VIEW],
    knownAtUs,
  }: { readonly views?: readonly FeatureView[]; readonly knownAtUs?: number } = {},
): Promise<Joined> {
  await opened.lake.commitLanding();
  const path = join(opened.dir, "rows.csv");
  const out = { path: join(opened.dir, "out.csv"), format: "csv" as const };
  await writeFile(path, `${lines.join("\n")}\n`);
  await joinFeatures(
    opened.lake,
    {
      views: views.map(published),
      rows: { path, format: "csv" },
      out,
      ...(knownAtUs === undefined ? {} : { knownAtUs }),
    },
    quiet,
  );
  const [header = "", ...rows] = (await readFile(out.path, "utf8")).trimEnd().split("\n");
  return { header: header.split(","), rows: rows.map((row) => row.split(",")) };
}

const iso = (s: number): string => new Date(s * 1_000).toISOString();
const HEADER = "device,event_time";

test("each row comes out once, in its place, with what was known of its device by its time", async () => {
  const opened = await openLake();
  await landVectors(opened, [
    { endS: 10, knownS: 11 },
    { endS: 20, knownS: 21, values: [undefined, undefined] },
    { endS: 10, knownS: 25, revision: 1, values: [7, undefined] },
    { device: "007", endS: 10, knownS: 11 },
  ]);
  const { header, rows } = await joinCsv(opened, [
    `${HEADER},id`,
    `pump-1,${iso(15)},a`,
    `pump-9,${iso(15)},b`,
    `pump-1,${iso(22)},c`,
    `pump-1,${iso(15)},a`,
    `pump-1,${iso(10.5)},d`,
    `pump-1,${iso(40)},e`,
    `007,${iso(20)},f`,
  ]);
  expect(header.slice(3)).toEqual(
    ["status", "window_end", "known_at", "withheld", "level_mean", "level_max"].map(
      (name) => `pump_health__${name}`,
    ),
  );
  expect(rows.map((row) => [row[0], ...row.slice(2, 4), ...row.slice(7)])).toEqual([
    ["pump-1", "a", "PRESENT", "10.0", "11.0"],
    ["pump-9", "b", "NOT_FOUND", "", ""],
    ["pump-1", "c", "NULL", "", ""],
    ["pump-1", "a", "PRESENT", "10.0", "11.0"],
    ["pump-1", "d", "NOT_FOUND", "", ""],
    ["pump-1", "e", "OUTSIDE_MAX_AGE", "", ""],
    ["007", "f", "PRESENT", "10.0", "11.0"],
  ]);
  expect(rows[0]?.slice(4, 7)).toEqual([
    "1970-01-01T00:00:10.000000Z",
    "1970-01-01T00:00:11.000000Z",
    "false",
  ]);
});

test("a row's own known-at time, or one for all, brings in what was known only then", async () => {
  const opened = await openLake();
  await landVectors(opened, [
    { endS: 10, knownS: 11 },
    { endS: 10, knownS: 50, revision: 1, values: [7, 8] },
  ]);
  const lines = [
    `${HEADER},known_at`,
    `pump-1,${iso(15)},`,
    `pump-1,${iso(15)},${iso(50)}`,
    `pump-1,${iso(15)},${iso(49)}`,
  ];
  const value = (rows: Joined["rows"]): readonly (string | undefined)[] => rows.map((row) => row[7]);
  expect(value((await joinCsv(opened, lines)).rows)).toEqual(["10.0", "7.0", "10.0"]);
  const all = await joinCsv(opened, lines, { knownAtUs: 60 * SECOND_US });
  expect(value(all.rows)).toEqual(["7.0", "7.0", "7.0"]);
});

test("the gateway's own vector is preferred to one that was back-filled, and a row may name the gateway", async () => {
  const opened = await openLake();
  await landVectors(opened, [{ endS: 10, knownS: 11, values: [1, 1] }]);
  const filled = "0198a6d2-8c1f-8a5e-9d3b-2f6f0c9a1b7e";
  await landVectors(
    opened,
    [
      { endS: 10, knownS: 12, values: [2, 2] },
      { endS: 20, knownS: 22, values: [3, 3] },
    ],
    { epoch: filled },
  );
  await landVectors(opened, [{ endS: 10, knownS: 13, values: [4, 4] }], { gateway: "gw-2", epoch: EPOCH });
  const { rows } = await joinCsv(opened, [
    `${HEADER},gateway`,
    `pump-1,${iso(19)},gw-1`,
    `pump-1,${iso(25)},gw-1`,
    `pump-1,${iso(19)},`,
    `pump-1,${iso(12)},`,
    `pump-1,${iso(12.5)},gw-2`,
  ]);
  expect(rows.map((row) => row[7])).toEqual(["1.0", "3.0", "4.0", "1.0", ""]);
});

test("the lake's labels are rows too, and what comes out can be Parquet", async () => {
  const opened = await openLake();
  await landVectors(opened, [{ endS: 10, knownS: 11 }]);
  const at = { fromUs: 5 * SECOND_US, toUs: 15 * SECOND_US };
  await land(opened.store, { stream: "labels", gateway: "gw-1", epoch: EPOCH, from: 0, to: 1 }, [
    [label(0, at), label(1, { ...at, device: "pump-2" })],
  ]);
  await opened.lake.commitLanding();
  const out = { path: join(opened.dir, "out.parquet"), format: "parquet" as const };
  const summary = await joinFeatures(opened.lake, { views: [published(VIEW)], rows: "labels", out }, quiet);
  expect(summary).toMatchObject({ rows: 2, views: [{ vectors: 1, statuses: { PRESENT: 1, NOT_FOUND: 1 } }] });
  const table = tableFromIPC(readParquet(await readFile(out.path)).intoIPCStream());
  const names = ["device", "label", "pump_health__status", "pump_health__level_mean"];
  expect(
    table.toArray().map((row: Readonly<Record<string, unknown>>) => names.map((name) => row[name])),
  ).toEqual([
    ["pump-1", "bearing_fault", "PRESENT", 10],
    ["pump-2", "bearing_fault", "NOT_FOUND", null],
  ]);
});

test("rows without a device, a time or a column are refused with the row and what to do", async () => {
  const opened = await openLake();
  await expect(joinCsv(opened, ["device,when", "pump-1,1"])).rejects.toMatchObject({
    code: "config.rows",
    message: expect.stringContaining("no column event_time"),
  });
  await expect(joinCsv(opened, [HEADER, `pump-1,${iso(1)}`, "pump-1,soon", ",5"])).rejects.toMatchObject({
    code: "config.rows",
    message: expect.stringContaining("2 of 3 rows"),
  });
  await expect(joinCsv(opened, [HEADER, "pump-1,1795219200000"])).rejects.toMatchObject({
    code: "config.rows",
    hint: expect.stringContaining("milliseconds"),
  });
  await expect(
    joinCsv(opened, [`${HEADER},pump_health__status`, `pump-1,${iso(1)},x`]),
  ).rejects.toMatchObject({
    message: expect.stringContaining("pump_health__status would be there twice"),
  });
});

test("through the lake the answers are those of the definition, for several views, gateways and revisions", async () => {
  const second = pumpView({
    name: "pump_flow",
    ttlMs: 3_000,
    features: [{ name: "m", fn: "min", of: "level" }],
  });
  const views = [VIEW, second];
  const small = fc.integer({ min: 1, max: 30 });
  const vectors = fc.array(
    fc.record({
      place: fc.integer({ min: 0, max: 3 }),
      view: fc.integer({ min: 0, max: 1 }),
      device: fc.constantFrom("pump-1", "pump-2"),
      endS: small,
      knownS: fc.integer({ min: 1, max: 60 }),
      revision: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 40 },
  );
  const requests = fc.array(
    fc.record({
      device: fc.constantFrom("pump-1", "pump-2", "pump-3"),
      eventS: small,
      knownS: fc.integer({ min: 1, max: 60 }),
    }),
    { minLength: 1, maxLength: 20 },
  );
  const places = [
    { gateway: "gw-1", epoch: EPOCH },
    { gateway: "gw-1", epoch: "1198a6d2-8c1f-4a5e-9d3b-2f6f0c9a1b7e" },
    { gateway: "gw-2", epoch: EPOCH },
    { gateway: "gw-2", epoch: "2198a6d2-8c1f-8a5e-9d3b-2f6f0c9a1b7e" },
  ];
  await fc.assert(
    fc.asyncProperty(vectors, requests, async (given, asked) => {
      const opened = await openLake();
      const marked = given.map((one, mark) => ({ ...one, mark }));
      for (const [place, { gateway, epoch }] of places.entries())
        for (const [i, view] of views.entries()) {
          const own = marked.filter((one) => one.place === place);
          // One stream of numbers for both views of a buffer.
          const from = i === 0 ? 0 : own.filter((one) => one.view === 0).length;
          const rows = own
            .filter((one) => one.view === i)
            .map((one) => ({ ...one, values: i === 0 ? [one.mark, 0] : [one.mark] }));
          if (rows.length > 0) await landVectors(opened, rows, { view, gateway, epoch, from });
        }
      const lines = asked.map(({ device, eventS, knownS }) => `${device},${iso(eventS)},${iso(knownS)}`);
      const { rows } = await joinCsv(opened, [`${HEADER},known_at`, ...lines], { views });
      const expected = asked.flatMap((request) =>
        views.map((view, i) => {
          const known = marked.filter((one) => one.view === i);
          const first = (place: number): number =>
            Math.min(...known.filter((one) => one.place === place).map(({ knownS }) => knownS));
          const rank = (place: number): number => (place === 3 ? -1 : first(place) * 10 + place);
          const [newest] = known
            .filter(
              (one) =>
                one.device === request.device && one.endS <= request.eventS && one.knownS <= request.knownS,
            )
            .toSorted(
              (a, b) =>
                b.endS - a.endS ||
                rank(b.place) - rank(a.place) ||
                b.revision - a.revision ||
                b.mark - a.mark,
            );
          if (newest === undefined) return ["NOT_FOUND", ""];
          const isFresh = request.eventS - newest.endS <= view.ttlMs / 1_000;
          return isFresh ? ["PRESENT", `${newest.mark}.0`] : ["OUTSIDE_MAX_AGE", ""];
        }),
      );
      expect(
        rows.flatMap((row) => [
          [row[3], row[7]],
          [row[9], row[13]],
        ]),
      ).toEqual(expected);
    }),
    { numRuns: 12 },
  );
}, 60_000);
