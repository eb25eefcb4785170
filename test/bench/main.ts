// `npm run bench [-- ingest engine scoring lake join backfill compact memory] [--docs]`: the figures of the design, as ratios of one run.
// `compact` (minutes) and `memory` (twenty minutes) run only when they are named; --docs writes the table to docs/bench.md.
import { mkdir, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { benchBackfill } from "./backfill.ts";
import { benchCompact } from "./compact.ts";
import { benchEngine, benchScoring } from "./engine.ts";
import { benchIngest } from "./ingest.ts";
import { benchJoin } from "./join.ts";
import { benchLake } from "./lake.ts";
import type { BenchLine } from "./line.ts";
import { benchMemory } from "./memory.ts";
import { root } from "./process.ts";

const PARTS = {
  ingest: benchIngest,
  engine: benchEngine,
  scoring: benchScoring,
  lake: benchLake,
  join: benchJoin,
  backfill: benchBackfill,
  compact: benchCompact,
  memory: benchMemory,
};

/** What runs only when it is named. */
const LONG: readonly string[] = ["compact", "memory"];

const args = process.argv.slice(2);
const wanted = args.filter((arg) => arg !== "--docs");
const unknown = wanted.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}

const lines: BenchLine[] = [];
for (const [name, run] of Object.entries(PARTS)) {
  if (wanted.length > 0 ? !wanted.includes(name) : LONG.includes(name)) continue;
  lines.push(...(await run((text) => console.error(`${name}: ${text} …`))));
}

const rows = lines.map((line) => [
  line.what,
  line.measured,
  line.reference,
  Number.isNaN(line.value) ? "" : line.value.toPrecision(3),
  line.mark,
  line.reached === undefined ? "" : line.reached ? "reached" : "not reached",
]);
const table = [["what", "measured", "against", "figure", "mark", ""], ...rows];
const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
for (const row of table)
  console.log(
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );

const path = join(root, "bench.json");
await writeFile(
  path,
  `${JSON.stringify({ node: process.version, measuredAt: new Date().toISOString(), lines }, undefined, 2)}\n`,
);
console.log(`\nas JSON: ${path}`);
if (args.includes("--docs")) await writeDocs();

/** The table as a page, with what is needed to judge it. */
async function writeDocs(): Promise<void> {
  const parts = wanted.length === 0 ? "" : ` ${wanted.join(" ")}`;
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const page = [
    "# The figures",
    "",
    `Made on ${new Date().toISOString().slice(0, 10)} by \`npm run bench --${parts} --docs\`, with Node ${process.version} on ${cpus().length} cores (${cpus()[0]?.model.trim() ?? "unknown"}).`,
    "Each figure is a median of interleaved runs, and a ratio against what stands beside it in the same run: the",
    "machine is shared, so the absolute numbers move, the ratios less.",
    "",
    line(table[0] ?? []),
    line((table[0] ?? []).map(() => "---")),
    ...rows.map(line),
    "",
  ].join("\n");
  await mkdir(join(root, "docs"), { recursive: true });
  await writeFile(join(root, "docs/bench.md"), page);
}

process.exit(0);
