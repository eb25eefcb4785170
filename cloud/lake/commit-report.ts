import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { Lost } from "./delta-action.ts";
import type { Gap } from "./plan-landing.ts";

/** Columns that a gateway lands and this version leaves out. */
export interface UnknownColumns {
  readonly stream: Stream;
  readonly gateway: string;
  readonly columns: readonly string[];
}

/** What one pass over the landing objects did. */
export interface CommitReport {
  readonly commits: number;
  /** Landing objects whose rows were committed. */
  readonly objects: number;
  readonly rows: number;
  readonly rowsByTable: Readonly<Partial<Record<Stream, number>>>;
  /** Bytes of landing objects that were taken. */
  readonly bytes: number;
  /** Table files that were added. */
  readonly files: number;
  /** Landing objects that were past their grace. */
  readonly deleted: number;
  /** Landing objects whose ranges are committed, and that wait out their grace. */
  readonly kept: number;
  /** Most bytes of decoded columns that one commit held at once. */
  readonly heldBytesMax: number;
  /** Columns of newer gateways that this version does not know: their rows were committed without them. */
  readonly unknownColumns: readonly UnknownColumns[];
  /** Ranges that were passed over, because their objects could not be used. */
  readonly lost: readonly Lost[];
  /** Objects that no table needs and that were moved away. */
  readonly setAside: readonly Lost[];
  /** Ranges that have not come although later ones have. */
  readonly gaps: readonly (Gap & { readonly stream: Stream })[];
}

/** A report under way. */
export type CommitTally = {
  -readonly [K in keyof CommitReport]: CommitReport[K] extends readonly (infer T)[]
    ? T[]
    : K extends "rowsByTable"
      ? Partial<Record<Stream, number>>
      : CommitReport[K];
};

export const emptyTally = (): CommitTally => ({
  commits: 0,
  objects: 0,
  rows: 0,
  rowsByTable: {},
  bytes: 0,
  files: 0,
  deleted: 0,
  kept: 0,
  heldBytesMax: 0,
  unknownColumns: [],
  lost: [],
  setAside: [],
  gaps: [],
});
