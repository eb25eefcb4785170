import type { Numbers } from "./measure.ts";
import type { Verdict } from "./evaluate.ts";
import { percent, percentRange } from "./words.ts";

/** A verdict for a person: the numbers of each model beside each other, then who goes live and why. */
export function renderVerdict(verdict: Verdict): string {
  const columns = [
    ...verdict.judgements.map(({ candidate, numbers }) => ({
      name: candidate.manifest.network.kind,
      numbers,
    })),
    ...(verdict.champion.state === "none"
      ? []
      : [{ name: `champion (${verdict.champion.name})`, numbers: verdict.champion.numbers }]),
  ];
  const { test } = verdict;
  const table = [
    ["", ...columns.map(({ name }) => name)],
    ...LINES.map(({ name, show }) => [
      name,
      ...columns.map(({ numbers }) => (numbers === undefined ? "not scored" : show(numbers))),
    ]),
    ["verdict", ...verdict.judgements.map(({ outcome }) => WORDS[outcome])],
  ];
  return [
    `Tested on ${test.healthyRows} healthy and ${test.faultyRows} faulty windows of ${test.devices} device${test.devices === 1 ? "" : "s"}.`,
    "",
    ...alignColumns(table),
    "",
    `${WORDS[verdict.outcome]}${verdict.promoted === undefined ? "" : `: ${verdict.promoted.manifest.network.kind}`}`,
    ...verdict.reasons.map((reason) => `- ${reason}`),
  ].join("\n");
}

const WORDS = { promote: "promote", reject: "reject", cannot_tell: "cannot tell" } as const;

const LINES: readonly { readonly name: string; readonly show: (numbers: Numbers) => string }[] = [
  { name: "false alarms", show: (n) => percent(n.rates.falseAlarmRate) },
  { name: "  interval", show: (n) => percentRange(n.intervals.falseAlarmRate) },
  { name: "missed alarms", show: (n) => percent(n.rates.missedAlarmRate) },
  { name: "  interval", show: (n) => percentRange(n.intervals.missedAlarmRate) },
  { name: "balanced accuracy", show: (n) => decimal(n.rates.balancedAccuracy) },
  { name: "F1", show: (n) => decimal(n.rates.f1) },
  { name: "ROC AUC", show: (n) => decimal(n.auc) },
  { name: "faults found", show: (n) => `${n.episodes.found} of ${n.episodes.faults}` },
  { name: "alarms, of them false", show: (n) => `${n.episodes.alarms}, ${n.episodes.falseAlarms}` },
  { name: "threshold", show: (n) => n.threshold.toPrecision(4) },
];

const decimal = (value: number | undefined): string => (value === undefined ? "none" : value.toFixed(3));

function alignColumns(table: readonly (readonly string[])[]): string[] {
  const widths = (table[0] ?? []).map((_, column) =>
    table.reduce((widest, row) => Math.max(widest, (row[column] ?? "").length), 0),
  );
  return table.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
