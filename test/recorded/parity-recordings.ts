import { type Check, Checks } from "./checks.ts";
import { readCwru } from "./cwru-files.ts";
import { recordingOf } from "./cwru-recording.ts";
import { gasTurbineRecording } from "./gas-turbine-recording.ts";
import { type ParityRow, proveParity } from "./parity.ts";
import { PARITY_VIEWS } from "./parity-views.ts";
import type { Recording } from "./recording.ts";
import { readSkab } from "./skab-files.ts";
import { skabRecording } from "./skab-recording.ts";

const SEED = 2_026;

export interface ParityResult {
  readonly checks: readonly Check[];
  readonly rows: readonly ParityRow[];
}

/** All of the data, each recording through a gateway of its own. */
export function proveAllParity(dataDir: string, say: (text: string) => void): ParityResult {
  const checks = new Checks(say);
  const recordings: readonly (() => Recording)[] = [
    () => skabRecording(readSkab(dataDir).valve1, PARITY_VIEWS.skab),
    () => gasTurbineRecording(dataDir, PARITY_VIEWS.gasTurbine),
    () => recordingOf(readCwru(dataDir), PARITY_VIEWS.cwru),
  ];
  const rows: ParityRow[] = [];
  for (const read of recordings)
    for (const row of proveParity(read(), SEED)) {
      checkBits(checks, row);
      checkHappened(checks, row);
      rows.push(row);
    }
  return { checks: checks.made, rows };
}

/** That each vector of the gateway is the same bits computed again, and there is no other. */
export function checkBits(checks: Checks, row: ParityRow): void {
  const { recording, view, vectors, numbers } = row;
  for (const side of ["backfill", "backtest"] as const) {
    const { equal, different, example } = row[side];
    const isEqual = different === 0 && equal === vectors && numbers > 0;
    const detail = `${equal} of ${vectors} vectors${example === undefined ? "" : `; ${example}`}`;
    checks.holds(`${recording}, ${view}: the gateway's vectors are the bits of the ${side}`, isEqual, detail);
  }
}

/** That what was to happen to the gateway did happen. */
export function checkHappened(checks: Checks, row: ParityRow): void {
  const { recording, view, redeliveries, duplicates, checkpoints, restarts } = row;
  const least = Math.min(redeliveries, duplicates, checkpoints, restarts);
  const happened = `${redeliveries} redeliveries, ${duplicates} readings sent again, ${checkpoints} checkpoints, ${restarts} power cuts`;
  checks.holds(`${recording}, ${view}: all of that happened on the way`, least > 0, happened);
}

/** The result for a person. */
export function renderParity({ checks, rows }: ParityResult): string {
  const head = [
    "data",
    "view",
    "readings",
    "sent twice",
    "checkpoints",
    "power cuts",
    "vectors",
    "numbers",
    "= backfill",
    "≠",
    "= backtest",
    "≠",
  ];
  const table = [
    head,
    ...rows.map((row) => [
      row.recording,
      row.view,
      ...[
        row.readings,
        row.redeliveries + row.duplicates,
        row.checkpoints,
        row.restarts,
        row.vectors,
        row.numbers,
        row.backfill.equal,
        row.backfill.different,
        row.backtest.equal,
        row.backtest.different,
      ].map((count) => count.toLocaleString("en")),
    ]),
  ];
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const pad = (cell: string, column: number): string =>
    column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  return [
    "Parity: messages in chance order within the lateness, some twice, with checkpoints and power cuts in between",
    "",
    ...checks.map(({ name, held, detail }) => `${held ? "holds" : "FAILS"}  ${name}: ${detail}`),
    "",
    ...table.map((row) => row.map(pad).join("  ").trimEnd()),
  ].join("\n");
}
