// `npm run bench [-- ingest engine scoring lake]`: the figures of the design, as ratios of one run.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { benchEngine, benchScoring } from "./engine.ts";
import { benchIngest } from "./ingest.ts";
import { benchLake } from "./lake.ts";
import type { BenchLine } from "./line.ts";
import { root } from "./process.ts";

const PARTS = { ingest: benchIngest, engine: benchEngine, scoring: benchScoring, lake: benchLake };

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(", ")}; there are ${Object.keys(PARTS).join(", ")}`);
  process.exit(2);
}

const lines: BenchLine[] = [];
for (const [name, run] of Object.entries(PARTS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  lines.push(...(await run((text) => console.error(`${name}: ${text} …`))));
}

const rows = lines.map((line) => [
  line.what,
  line.measured,
  line.reference,
  Number.isNaN(line.value) ? "" : line.value.toPrecision(3),
  line.mark,
  line.reached === undefined ? "not measured" : line.reached ? "reached" : "not reached",
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
process.exit(0);
