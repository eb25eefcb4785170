import type { FleetRow } from "./rollout.ts";

/** The fleet as a table of text: one line per gateway, refusals and problems below it. `nowUs` dates the reports. */
export function renderFleet(rows: readonly FleetRow[], nowUs: number): string {
  if (rows.length === 0) return "no gateway has reported to this lake\n";
  const cells = [
    ["gateway", "last report", "desired", "running", "state"],
    ...rows.map((row) => [
      row.gateway,
      row.reportedAtUs === undefined ? "never" : ago(nowUs - row.reportedAtUs),
      row.desired === undefined ? "-" : `${row.desired} (revision ${row.desiredRevision})`,
      row.running ?? "-",
      stateOf(row),
    ]),
  ];
  const widths = [0, 1, 2, 3, 4].map((column) =>
    Math.max(...cells.map((line) => (line[column] ?? "").length)),
  );
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  const [head, ...body] = cells.map(line);
  const lines = body.flatMap((text, i) => [text, ...remarks(rows[i])]);
  // Names and refusals come from outside: no control character may reach a terminal.
  return `${[head, ...lines].map((text) => text?.replaceAll(/\p{Cc}/gu, "\uFFFD")).join("\n")}\n`;
}

function stateOf(row: FleetRow): string {
  if (row.problems.length > 0) return "unreadable";
  if (row.refusal !== undefined) return "refused";
  if (row.reportedAtUs === undefined) return "silent";
  if (row.desired === undefined) return "no wish";
  return row.desired === row.running ? "in step" : "waiting";
}

const remarks = (row: FleetRow | undefined): string[] =>
  row === undefined
    ? []
    : [
        ...(row.refusal === undefined ? [] : [`  refused: ${row.refusal}`]),
        ...row.problems.map((problem) => `  cannot read ${problem}`),
      ];

function ago(us: number): string {
  const seconds = Math.round(us / 1_000_000);
  if (seconds < 0) return `${-seconds} s ahead of our clock`;
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h ago` : `${Math.round(seconds / 86_400)} d ago`;
}
