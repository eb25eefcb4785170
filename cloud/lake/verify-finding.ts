import type { Stream } from "@sluice/shared/contract/stream.ts";

/** Kinds of what is said about the lake's completeness; each is explained or not. */
export const FINDING_KINDS = [
  /** Landed, and not committed yet: the next commit takes it. */
  "landed",
  /** Offsets that have not come, although later ones have. */
  "gap",
  /** The gateway says that it still has it. */
  "outbox",
  /** Thinned out or dropped by the gateway, because its disk budget was reached. */
  "shed",
  /** Refused by the gateway, and kept in the table `quarantine`. */
  "quarantined",
  /** Acknowledged messages that were damaged on the gateway's disk. */
  "buffer_damaged",
  /** The landing object could not be used: its range was passed over. */
  "lost",
  /** An object that says nothing that others do not say. */
  "set_aside",
  /** Rows that a retention rule took out of the table. */
  "removed",
  /** Commits that were cleaned up: their ranges are known by the transactions alone. */
  "cleaned_up",
  /** A table file that no commit names. */
  "orphan",
  /** The same offsets were committed twice. */
  "overlap",
  /** Numbers that do not agree. */
  "count",
  /** A table file that the log names and that is not there, or not as it was written. */
  "file",
  /** A log that cannot be read. */
  "log",
  /** The gateway says that the lake has it, and the lake does not. */
  "delivered_missing",
  /** A landing object whose bytes are not those that were committed. */
  "landing_differs",
] as const;

export type FindingKind = (typeof FINDING_KINDS)[number];

/** One thing that whoever relies on the lake must know. */
export interface Finding {
  readonly kind: FindingKind;
  /** False: nobody has said why, so somebody must look. */
  readonly explained: boolean;
  readonly table: Stream;
  readonly gateway?: string;
  readonly epoch?: string;
  /** Offsets, both inclusive. */
  readonly from?: number;
  readonly to?: number;
  /** Rows or messages, where they were counted. */
  readonly count?: number;
  /** When it was measured, in microseconds since the epoch, where that is known. */
  readonly time?: TimeSpan;
  /** One sentence for a person. */
  readonly detail: string;
  /** What to do. */
  readonly remedy?: string;
}

/** Both inclusive, in microseconds since the epoch. */
export interface TimeSpan {
  readonly fromUs: number;
  readonly throughUs: number;
}

export const unionOf = (a: TimeSpan | undefined, b: TimeSpan | undefined): TimeSpan | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  return { fromUs: Math.min(a.fromUs, b.fromUs), throughUs: Math.max(a.throughUs, b.throughUs) };
};

/** Complete; something is missing and it is known why; something is missing and nobody says why. */
export type ProofState = "complete" | "explained" | "unexplained";

/** What says nothing of completeness; it is only good to know. */
const NOTES: ReadonlySet<Finding["kind"]> = new Set(["cleaned_up", "orphan", "removed", "set_aside"]);

export const stateOf = (findings: readonly Finding[]): ProofState => {
  if (findings.some(({ explained }) => !explained)) return "unexplained";
  return findings.some(({ kind }) => !NOTES.has(kind)) ? "explained" : "complete";
};
