// Bearing faults in the records of Case Western Reserve University: one view and one fixed rule for all of them.
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { recompute } from "@sluice/shared/features/recompute.ts";
import { type Check, Checks } from "./checks.ts";
import { cwruFolder, DRIVE_END_BEARING, readCwru, type VibrationRecord } from "./cwru-files.ts";
import { bearingView, recordingOf } from "./cwru-recording.ts";
import { decodeInOrder } from "./decode-recording.ts";

const FAULTS = ["bpfo", "bpfi", "ball", "ftf"] as const;
type Fault = (typeof FAULTS)[number];

/** Which frequency a fault shows at. */
const FAULT_OF: Readonly<Record<VibrationRecord["fault"], Fault | undefined>> = {
  OR: "bpfo",
  IR: "bpfi",
  B: "ball",
  none: undefined,
};

/**
 * A fault is found in a window where its first three multiples each stand ten times above the noise around them, which
 * chance does once in a million windows, and in a record where that is so in more than half of its windows. Of several
 * the one that stands out most names the record.
 */
const PROMINENCE_MIN = 10;

/** The settings that a user would write, but for nothing in it that knows a record: the speed is an input. */
const VIEW = bearingView(
  "bearing_faults",
  { kind: "tumbling", sizeMs: 2_000 },
  FAULTS.map((fault) => ({
    name: fault,
    fn: "bearing_prominence_at_speed",
    of: ["vibration", "speed"],
    with: { ...DRIVE_END_BEARING, fault, speed: "rpm" },
    unit: "1",
  })),
);

export interface BearingRow {
  readonly record: string;
  readonly fault: VibrationRecord["fault"];
  readonly diameterMil: number;
  readonly windows: number;
  /** Per fault: the median over the windows, and in how many it is found. */
  readonly prominence: Readonly<Record<Fault, { readonly median: number; readonly found: number }>>;
  readonly named: Fault | undefined;
}

export interface BearingsResult {
  readonly checks: readonly Check[];
  readonly rows: readonly BearingRow[];
}

/** Replays every record through decoder and window engine. `say` hears of progress. */
export function proveBearings(dataDir: string, say: (text: string) => void): BearingsResult {
  const checks = new Checks(say);
  const records = readCwru(dataDir);
  const rows = records.map(judgeRecord);
  checks.equal(`${cwruFolder(dataDir)} has 36 records of faults and a normal one`, records.length, 36 + 2);
  const all = (isMeant: (row: BearingRow) => boolean): readonly BearingRow[] => rows.filter(isMeant);
  const namesAll = (what: string, meant: readonly BearingRow[], fault: Fault): void => {
    const missed = meant.filter(({ named }) => named !== fault).map(({ record }) => record);
    const detail = `${meant.length - missed.length} of ${meant.length} ${missed.join(" ")}`.trim();
    checks.holds(`${what}: ${fault.toUpperCase()} is found and stands out most`, missed.length === 0, detail);
  };
  namesAll(
    "faults of the inner race",
    all(({ fault }) => fault === "IR"),
    "bpfi",
  );
  namesAll(
    "faults of the outer race of 7 and 21 mil",
    all(({ fault, diameterMil }) => fault === "OR" && diameterMil !== 14),
    "bpfo",
  );
  for (const { record, prominence, windows } of all(({ fault }) => fault === "none")) {
    const found = FAULTS.reduce((sum, fault) => sum + prominence[fault].found, 0);
    checks.equal(`${record}: no fault is found in any of ${windows} windows`, found, 0);
  }
  return { checks: checks.made, rows };
}

/** What the view and the rule say of one record. */
export function judgeRecord(record: VibrationRecord): BearingRow {
  const recording = recordingOf([record], [VIEW]);
  const vectors = [
    ...recompute({ view: VIEW, hash: viewHash(VIEW), sinceOffset: 0 }, decodeInOrder(recording)),
  ];
  const measure = (fault: Fault): { readonly median: number; readonly found: number } => {
    const values = vectors.map((vector) => vector.values[FAULTS.indexOf(fault)] ?? 0).sort((a, b) => a - b);
    return {
      median: values[values.length >> 1] ?? 0,
      found: values.filter((value) => value > PROMINENCE_MIN).length,
    };
  };
  const prominence = {
    bpfo: measure("bpfo"),
    bpfi: measure("bpfi"),
    ball: measure("ball"),
    ftf: measure("ftf"),
  };
  const named = FAULTS.filter((fault) => prominence[fault].found > vectors.length / 2).sort(
    (a, b) => prominence[b].median - prominence[a].median,
  );
  const { device, fault, diameterMil } = record;
  return { record: device, fault, diameterMil, windows: vectors.length, prominence, named: named[0] };
}

/** The result for a person. */
export function renderBearings({ checks, rows }: BearingsResult): string {
  const cells = rows.map(({ record, fault, windows, prominence, named }) => [
    record,
    FAULT_OF[fault]?.toUpperCase() ?? "none",
    ...FAULTS.map((each) => `${prominence[each].median.toFixed(1)} (${prominence[each].found}/${windows})`),
    named?.toUpperCase() ?? "none",
  ]);
  const table = [["record", "has", ...FAULTS.map((fault) => fault.toUpperCase()), "found"], ...cells];
  const faulty = rows.filter(({ fault }) => fault !== "none");
  const own = faulty.filter(({ fault, named }) => named === FAULT_OF[fault]).length;
  const widths =
    table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
  return [
    "CWRU: bearing faults by one view and one rule: three multiples, each ten times the noise around it",
    "",
    ...checks.map(({ name, held, detail }) => `${held ? "holds" : "FAILS"}  ${name}: ${detail}`),
    "",
    "Median prominence over windows of 2 s, and in how many of them it is above 10:",
    ...table.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    ),
    "",
    `The frequency of its own fault is found in ${own} of ${faulty.length} records. Those of a ball, and of 14 mil in the outer race,`,
    "are shown and not required: one plain rule for all records does not find them.",
  ].join("\n");
}
