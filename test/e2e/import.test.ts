import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  RecordBatchFileWriter,
  tableFromArrays,
  TimestampMicrosecond,
  vectorFromArray,
  Table,
} from "apache-arrow";
import { parquetWriteFile } from "hyparquet-writer";
import { expect, test } from "vitest";
import { run } from "./programs.ts";
import { Site } from "./site.ts";

const START_US = Date.UTC(2026, 9, 1) * 1_000;
const ROWS = 1_200;

/** Row `i` is measured `i` milliseconds and some microseconds after the start, so that cut digits are seen. */
const timeUs = (i: number): number => START_US + i * 1_000 + (i % 1_000);
const isoUs = (us: number): string =>
  `${new Date(Math.floor(us / 1_000)).toISOString().slice(0, -1)}${String(us % 1_000).padStart(3, "0")}`;

const QUERY =
  "select device, metric, count(*) as n, count(distinct epoch_us(measured_at)) as moments, sum(value) as total, max(epoch_us(measured_at)) as last from readings group by all order by all";

/** What the table must say of both metrics of a device. */
const expected = (device: string) =>
  ["flow", "n"].map((metric) => ({
    device,
    metric,
    n: ROWS,
    moments: ROWS,
    total: metric === "n" ? (ROWS * (ROWS - 1)) / 2 : (ROWS * (ROWS - 1)) / 4,
    last: timeUs(ROWS - 1),
  }));

const places = Array.from({ length: ROWS }, (_, i) => i);

async function writeCsv(path: string): Promise<void> {
  const lines = places.map((i) => `${isoUs(timeUs(i)).replace("T", " ")};csv-1;${i};${i / 2}`);
  await writeFile(path, `\ufeffdatetime;machine;n;flow\r\n${lines.join("\r\n")}\r\n`);
}

function writeParquet(path: string): void {
  parquetWriteFile({
    filename: path,
    columnData: [
      { name: "measured_at", data: places.map((i) => BigInt(timeUs(i))), type: "INT64" },
      { name: "machine", data: places.map(() => "parquet-1"), type: "STRING" },
      { name: "n", data: places, type: "INT32" },
      { name: "flow", data: places.map((i) => i / 2), type: "DOUBLE" },
    ],
  });
}

async function writeArrow(path: string): Promise<void> {
  const times = vectorFromArray(
    places.map((i) => timeUs(i) / 1_000),
    new TimestampMicrosecond("UTC"),
  );
  const others = tableFromArrays({
    machine: places.map(() => "arrow-1"),
    n: Int32Array.from(places),
    flow: Float64Array.from(places, (i) => i / 2),
  });
  const table = new Table({
    time: times,
    machine: others.getChild("machine") ?? times,
    n: others.getChild("n") ?? times,
    flow: others.getChild("flow") ?? times,
  });
  await writeFile(path, RecordBatchFileWriter.writeAll(table).toUint8Array(true));
}

test("files of CSV, Parquet and Arrow come in whole, each row once, however often they are imported", async () => {
  const site = await Site.make();
  const [csv, parquet, arrow] = ["h.csv", "h.parquet", "h.arrow"].map((name) => join(site.dir, name));
  await writeCsv(csv ?? "");
  writeParquet(parquet ?? "");
  await writeArrow(arrow ?? "");
  const common = [
    "--config",
    site.gatewayFile,
    "--device-type",
    "pump",
    "--device-column",
    "machine",
    "--json",
  ];
  const gateway = await site.startGateway();
  for (const repeat of [1, 2]) {
    const outcomes = [
      await run("gateway", "import", csv ?? "", ...common, "--delimiter", ";"),
      await run("gateway", "import", parquet ?? "", ...common, "--time-unit", "us"),
      await run("gateway", "import", arrow ?? "", ...common),
    ];
    for (const { code, stdout } of outcomes) {
      expect({ repeat, code }).toEqual({ repeat, code: 0 });
      expect(JSON.parse(stdout)).toMatchObject({ rows: ROWS, messages: 3, taken: true });
    }
  }
  const { counters } = await gateway.drained();
  expect(counters).toMatchObject({ readings: 6 * ROWS, "spool.repeated": 9 });
  expect(counters).not.toHaveProperty("quarantined");
  expect(await site.commitAndAsk(QUERY)).toEqual(["arrow-1", "csv-1", "parquet-1"].flatMap(expected));
  expect(await site.ask("select kind, count from events order by seq")).toEqual(
    [1, 2, 3].map(() => ({ kind: "import.done", count: ROWS })),
  );
}, 90_000);

test("a file that is handed over while the gateway is down, or dies again and again, comes in once", async () => {
  const site = await Site.make();
  const csv = join(site.dir, "h.csv");
  await writeCsv(csv);
  const command = [
    ...["import", csv, "--config", site.gatewayFile, "--device-type", "pump", "--device-column", "machine"],
    ...["--delimiter", ";"],
  ];
  const first = await run("gateway", ...command);
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("wait in the spool until the gateway is started"),
  });
  for (let kill = 0; kill < 3; kill++) {
    const gateway = await site.startGateway();
    const importing = run("gateway", ...command);
    await gateway.statusWhen("some of it is taken", ({ ingest }) =>
      ingest.some(({ received }) => received > 0),
    );
    await gateway.kill();
    await importing;
  }
  const gateway = await site.startGateway();
  await run("gateway", ...command);
  expect((await gateway.drained()).counters).toMatchObject({ readings: 2 * ROWS });
  expect(await site.commitAndAsk(QUERY)).toEqual(expected("csv-1"));
}, 90_000);

test("what cannot be mapped or read is refused in words, and rows that break the contract go to quarantine", async () => {
  const site = await Site.make({
    decode: {
      contracts: [{ deviceType: "pump", metrics: { n: { max: 10 } }, unknownMetrics: "quarantine" }],
    },
  });
  const file = await site.write(
    "bad.csv",
    "time,machine,n\n2026-10-01T00:00:00Z,p1,11\nyesterday,p1,1\n2026-10-01T00:00:02Z,p1\n2026-10-01T00:00:03Z,,4\n2026-10-01T00:00:04Z,p1,5\n6\n7\n",
  );
  const options = ["--config", site.gatewayFile, "--device-type", "pump"];
  const refusals = [
    [["import", join(site.dir, "none.csv"), ...options, "--device", "p1"], "cannot read"],
    [["import", file, ...options], "say either --device or --device-column"],
    [
      ["import", file, ...options, "--device-column", "maschine"],
      '"maschine" is not a column of the file: time, machine, n',
    ],
    [
      ["import", file, "--config", site.gatewayFile, "--device-type", "fan", "--device", "p1"],
      "decode.routes names pump",
    ],
    [
      [
        "import",
        await site.write("r.csv", "time,n\n1,2026-10-01T00:00:00Z,5\n"),
        ...options,
        "--device",
        "p1",
      ],
      "the first row has 3 fields, not 2",
    ],
    [["import", await site.write("x.xlsx", "x"), ...options, "--device", "p1"], "is of no known format"],
    [["import", await site.write("torn.parquet", "PAR1"), ...options, "--device", "p1"], "cannot read"],
  ] as const;
  for (const [args, words] of refusals)
    expect(await run("gateway", ...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(words) });
  const gateway = await site.startGateway();
  expect(await run("gateway", "import", file, ...options, "--device-column", "machine")).toMatchObject({
    stdout: expect.stringContaining("7 rows taken in, 3 of them with more or fewer fields"),
  });
  const { counters } = await gateway.drained();
  expect(counters).toMatchObject({ readings: 1, quarantined: 6 });
  expect(await site.commitAndAsk("SELECT count(*) AS n FROM quarantine")).toEqual([{ n: 6 }]);
  const { stdout } = await run("gateway", "quarantine", "ls", "--config", site.gatewayFile);
  for (const words of [
    'The metric "n" is 11',
    'Row 2 has the time "yesterday", which is none.',
    "Row 3 has 2 fields, not 3.",
    'The device "" is not',
    "file bad.csv",
  ])
    expect(stdout).toContain(words);
}, 90_000);
