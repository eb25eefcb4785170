import { cpus, loadavg } from "node:os";
import { isoTime, systemClock } from "@sluice/shared/runtime/clock.ts";
import Database from "better-sqlite3";
import type { ScenarioResult } from "./run-suite.ts";

/** One line of the table. */
export interface Line {
  readonly scenario: string;
  readonly kills: number;
  readonly acknowledged: number;
  readonly found: number;
  readonly reported: number;
  readonly lost: number;
  readonly duplicated: number;
  /** From a kill to the next acknowledgement. */
  readonly recoverMsP50: number | undefined;
  readonly recoverMsMax: number | undefined;
  readonly verdict: "ok" | "failed" | "skipped";
}

/** Sums a scenario's trials up. One that must lose and does not has failed, as has one that loses and must not. */
export function lineOf({ scenario, trials, skipped }: ScenarioResult): Line {
  const sum = (of: (trial: (typeof trials)[number]) => number): number =>
    trials.reduce((total, trial) => total + of(trial), 0);
  const recover = trials.flatMap(({ recoverMs }) => recoverMs).sort((a, b) => a - b);
  const lost = sum((trial) => trial.lost);
  const isBroken = trials.length === 0 || trials.some(({ failures }) => failures.length > 0);
  const isBlind = scenario.mustLose === true && lost === 0;
  return {
    scenario: scenario.name,
    kills: sum((trial) => trial.kills),
    acknowledged: sum((trial) => trial.acknowledged),
    found: sum((trial) => trial.found),
    reported: sum((trial) => trial.reported),
    lost,
    duplicated: sum((trial) => trial.duplicated),
    recoverMsP50: rounded(recover[Math.floor(recover.length / 2)]),
    recoverMsMax: rounded(recover.at(-1)),
    verdict: skipped !== undefined ? "skipped" : isBroken || isBlind ? "failed" : "ok",
  };
}

const rounded = (ms: number | undefined): number | undefined =>
  ms === undefined ? undefined : Math.round(ms);

const HEADINGS = [
  "scenario",
  "kills",
  "acknowledged",
  "found",
  "reported",
  "lost",
  "duplicated",
  "recovery ms p50",
  "max",
  "",
];

function cells(line: Line): string[] {
  const {
    scenario,
    kills,
    acknowledged,
    found,
    reported,
    lost,
    duplicated,
    recoverMsP50,
    recoverMsMax,
    verdict,
  } = line;
  if (verdict === "skipped") return [scenario, "", "", "", "", "", "", "", "", verdict];
  const numbers = [
    kills,
    acknowledged,
    found,
    reported,
    lost,
    duplicated,
    recoverMsP50 ?? "",
    recoverMsMax ?? "",
  ];
  return [scenario, ...numbers.map((number) => number.toLocaleString("en")), verdict];
}

/** The table for a terminal. */
export function textTable(lines: readonly Line[]): string {
  const rows = [HEADINGS, ...lines.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The page in docs/, with what it was made by and on. */
export function page(results: readonly ScenarioResult[], command: string): string {
  const lines = results.map(lineOf);
  const row = (texts: readonly string[]): string => `| ${texts.join(" | ")} |`;
  const processor = cpus();
  const sqlite = new Database(":memory:").prepare("select sqlite_version()").pluck().get();
  const kills = lines.reduce((sum, line) => sum + line.kills, 0);
  return `# What survives a crash

Made by \`${command}\` on ${isoTime(systemClock.nowUs()).slice(0, 10)}, with Node ${process.version} and SQLite ${String(sqlite)}, on ${processor.length} cores (${processor[0]?.model.trim() ?? "unknown"}) with a load of ${(loadavg()[2] ?? 0).toFixed(1)}, other programs included. ${kills.toLocaleString("en")} kills in all.

Real gateways run as a user runs them, each with three devices that remember every acknowledgement and send again, with
DUP and the same packet id, what has none. At the end everything is drained into a lake, committed into its tables by
\`sluice-cloud commit\`, and each reading is looked for there.

- **acknowledged**: readings whose publish got its PUBACK or PUBCOMP.
- **found**: those of them that are in the lake's table.
- **reported**: what the gateway itself says is not there: lost with a file that was damaged on purpose, or given up for room.
- **lost**: neither found nor reported. Must be 0, but in the controls, where durability is broken on purpose and loss must show.
- **duplicated**: readings that are in the table more than once. Must be 0.
- **recovery**: from a kill to the next acknowledgement; the start of a new process is part of it.

${row(HEADINGS.map((heading) => (heading === "" ? "verdict" : heading)))}
${row(HEADINGS.map((_, i) => (i === 0 ? "---" : "--:")))}
${lines.map((line) => row(cells(line))).join("\n")}

## What happens in each

${results.map(({ scenario }) => `- **${scenario.name}**: ${scenario.what}`).join("\n")}

Run it yourself: \`npm run crash -- --kills 100 --seed 1\`; one scenario alone: \`--scenario "embedded broker, QoS 1"\`.
The file system, the disk and the clock fail by \`test/crash/faulty-machine.c\`, a library that is loaded into the
gateway's process; the product has no switch for any of it.
`;
}
