import { addConfusions, type Confusion, type Rates, ratesOf } from "@sluice/cloud/evaluation/metrics.ts";
import { type PredictedWindow, scorePoints } from "@sluice/cloud/evaluation/point-scores.ts";
import { SKAB_LEADERBOARD } from "./skab-published.ts";
import type { RecordedFile } from "./skab-files.ts";

/** SKAB's protocol gives a method these rows of each file to fit on and scores the others; ours has no use for them. */
const ROWS_NOT_SCORED = 400;

/** How a champion did against the experimenter's notes, per reading, pooled over files. */
export interface SkabScores {
  readonly confusion: Confusion;
  /** Readings that no closed window contains: they count as not alarmed. */
  readonly uncovered: number;
  readonly rates: Rates;
}

export function scoreSkab(
  files: readonly RecordedFile[],
  windowsOf: (device: string) => readonly PredictedWindow[],
): SkabScores {
  const scores = files.map(({ device, rows }) =>
    scorePoints(
      windowsOf(device),
      rows.slice(ROWS_NOT_SCORED).map(({ measuredAtUs, anomalous }) => ({ atUs: measuredAtUs, anomalous })),
    ),
  );
  const confusion = addConfusions(scores.map((score) => score.confusion));
  const uncovered = scores.reduce((sum, score) => sum + score.uncovered, 0);
  return { confusion, uncovered, rates: ratesOf(confusion) };
}

/** What somebody gets who alarms on everything: the line that any F1 must be read against. */
const alwaysAlarming = ({ hits, missed, falseAlarms, quiet }: Confusion): Confusion => ({
  hits: hits + missed,
  missed: 0,
  falseAlarms: falseAlarms + quiet,
  quiet: 0,
});

/** Our line, the bar of alarming always, and the published ones. */
export function renderScores({ confusion, uncovered, rates }: SkabScores): string {
  const total = confusion.hits + confusion.missed + confusion.falseAlarms + confusion.quiet;
  const published = SKAB_LEADERBOARD.map((line) => ({
    ...line,
    balancedAccuracy: 1 - (line.falseAlarmRate + line.missedAlarmRate) / 2,
  }));
  const lines = [
    row("Sluice, fitted on anomaly-free", rates),
    row("an alarm on every reading", ratesOf(alwaysAlarming(confusion))),
    ...published.map((line) => row(line.algorithm, line)),
  ];
  return [
    `${"".padEnd(32)}   F1   FAR %  MAR %  balanced accuracy`,
    ...lines,
    `Ours: ${total} readings of 16 files (valve1), ${uncovered} of them after the last closed window of their file;`,
    `one model, fitted once on the anomaly-free run only. The published lines pool 34 files (23,801 readings)`,
    `and fit a model on the first 400 rows of each file: not the same protocol.`,
  ].join("\n");
}

function row(name: string, rates: Rates): string {
  const percent = (share: number | undefined): string =>
    share === undefined ? "–" : (share * 100).toFixed(2);
  return [
    name.padEnd(32),
    (rates.f1?.toFixed(2) ?? "–").padStart(5),
    percent(rates.falseAlarmRate).padStart(7),
    percent(rates.missedAlarmRate).padStart(6),
    (rates.balancedAccuracy?.toFixed(3) ?? "–").padStart(18),
  ].join(" ");
}
