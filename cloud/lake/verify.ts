import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import { type Clock, isoTime } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { LandingObject } from "./plan-landing.ts";
import type { SqlResult } from "./sql.ts";
import { type EpochProof, proveEpochs, proveReports, quarantined } from "./verify-epochs.ts";
import {
  findingOf,
  LOSS_QUERY,
  type LossEvent,
  lossEvents,
  shedMismatches,
  streamOf,
} from "./verify-events.ts";
import { proveFiles } from "./verify-files.ts";
import { type Finding, type ProofState, stateOf, type TimeSpan } from "./verify-finding.ts";
import { proveLanding, setAsideFindings } from "./verify-landing.ts";
import type { TableLedger } from "./verify-ledger.ts";
import { listLanding, listTableFiles, readClaims, readLedger } from "./verify-sources.ts";

/** What is to be verified; left out: all. */
export interface VerifyScope {
  readonly gateway?: string | undefined;
  readonly tables?: readonly Stream[] | undefined;
  /** When it was measured: at or after, and before. */
  readonly fromUs?: number | undefined;
  readonly toUs?: number | undefined;
}

export interface TableProof {
  readonly table: Stream;
  readonly commits: number;
  readonly files: number;
  /** Rows that were landed, that went for a reason, and that the files have; undefined: a file does not say. */
  readonly landedRows: number;
  readonly removedRows: number;
  readonly rows: number | undefined;
}

export interface VerifyReport {
  readonly verifiedAt: string;
  readonly state: ProofState;
  readonly tables: readonly TableProof[];
  readonly gateways: readonly EpochProof[];
  readonly findings: readonly Finding[];
}

export interface VerifyOptions {
  readonly store: ObjectStore;
  /** Answers a query about the small tables `events` and `quarantine`. */
  readonly sql: (query: string) => Promise<SqlResult>;
  readonly clock: Clock;
  readonly tell: (doing: string, share?: number) => void;
}

/** The ledgers that were read, for those who look deeper. */
export interface Verified {
  readonly report: VerifyReport;
  readonly ledgers: ReadonlyMap<Stream, TableLedger>;
  readonly landing: ReadonlyMap<string, readonly LandingObject[]>;
  readonly events: readonly LossEvent[];
}

/**
 * Proves for every gateway that what it had is in the lake once, or says what is missing and why.
 *
 * From the tables' logs with the statistics in them, listings, the gateways' reports and the small table `events`: no
 * data file of the other tables is read. Reports are read first and logs last, so that a lake that is at work proves
 * what it had when this began. Store errors are thrown; what is wrong with the lake is a finding.
 */
export async function verifyLake(options: VerifyOptions, scope: VerifyScope): Promise<Verified> {
  const { store, clock, tell } = options;
  const tables = scope.tables ?? STREAMS;
  tell("reading the gateways' reports");
  const claims = await readClaims(store, STREAMS);
  tell("listing what has landed");
  const landing = await listLanding(store);
  const findings: Finding[] = [];
  const ledgers = new Map<Stream, TableLedger>();
  for (const table of STREAMS)
    if (tables.includes(table) || table === "quarantine") {
      const ledger = await tryLedger(options, table, findings);
      if (ledger !== undefined) ledgers.set(table, ledger);
    }
  for (const ledger of ledgers.values()) {
    findings.push(...ledger.findings);
    findings.push(...proveFiles(ledger, await listTableFiles(store, ledger.table)));
    findings.push(...proveRowSum(ledger));
  }
  const events = await readEvents(options, findings);
  findings.push(...events.map(findingOf));
  findings.push(
    ...shedMismatches(events, (event) => {
      const [table, { gateway, epoch }] = [streamOf(event), event];
      return ledgers.get(table)?.entries.get(`${gateway}/${epoch}/${table}`)?.ranges ?? [];
    }),
  );
  const { epochs, found } = proveEpochs(ledgers, landing, claims);
  findings.push(...found);
  findings.push(...proveReports(claims));
  findings.push(...quarantined(ledgers.get("quarantine")));
  findings.push(...(await proveLanding(options, ledgers, landing)));
  findings.push(...(await setAsideFindings(store, ledgers)));
  const shown = findings.filter((finding) => isInScope(finding, scope));
  const gateways = epochs
    .filter(({ gateway, table }) => (scope.gateway ?? gateway) === gateway && tables.includes(table))
    .map((epoch) => ({ ...epoch, state: stateOf(shown.filter((finding) => isOf(finding, epoch))) }));
  const report = {
    verifiedAt: isoTime(clock.nowUs()),
    state: stateOf(shown),
    tables: [...ledgers.values()].filter(({ table }) => tables.includes(table)).map(tableProof),
    gateways,
    findings: shown.toSorted(bySeverity),
  };
  return { report, ledgers, landing, events };
}

/** The report with what was found by looking deeper. */
export const withFindings = (report: VerifyReport, more: readonly Finding[]): VerifyReport => {
  const findings = [...report.findings, ...more].toSorted(bySeverity);
  const gateways = report.gateways.map((epoch) => ({
    ...epoch,
    state: stateOf(findings.filter((finding) => isOf(finding, epoch))),
  }));
  return { ...report, state: stateOf(findings), gateways, findings };
};

const isOf = (finding: Finding, { gateway, epoch, table }: EpochProof): boolean =>
  finding.table === table && finding.gateway === gateway && (finding.epoch ?? epoch) === epoch;

const bySeverity = (a: Finding, b: Finding): number =>
  Number(a.explained) - Number(b.explained) ||
  STREAMS.indexOf(a.table) - STREAMS.indexOf(b.table) ||
  (a.gateway ?? "").localeCompare(b.gateway ?? "") ||
  (a.from ?? -1) - (b.from ?? -1);

/** Findings of other gateways and tables, and those that are wholly of another time, are left out. */
function isInScope({ gateway, table, time }: Finding, scope: VerifyScope): boolean {
  if (scope.gateway !== undefined && gateway !== undefined && gateway !== scope.gateway) return false;
  if (scope.tables !== undefined && !scope.tables.includes(table)) return false;
  return time === undefined || overlapsScope(time, scope);
}

export const overlapsScope = (
  time: TimeSpan,
  { fromUs = -Infinity, toUs = Infinity }: VerifyScope,
): boolean => time.throughUs >= fromUs && time.fromUs < toUs;

async function tryLedger(
  { store, tell }: VerifyOptions,
  table: Stream,
  findings: Finding[],
): Promise<TableLedger | undefined> {
  try {
    return await readLedger(store, table, tell);
  } catch (error) {
    if (!(error instanceof PipelineError) || !error.code.startsWith("lake.")) throw error;
    findings.push({
      kind: "log",
      explained: false,
      table,
      detail: describeError(error),
      ...(error.hint === undefined ? {} : { remedy: error.hint }),
    });
    return undefined;
  }
}

/** The rows of the files must be those that landed, less those that went for a reason. */
function proveRowSum(ledger: TableLedger): readonly Finding[] {
  const { table, baseRows, landedRows, removedRows, activeRows } = ledger;
  const expected = baseRows + landedRows - removedRows;
  if (activeRows === undefined || activeRows === expected) return [];
  return [
    {
      kind: "count",
      explained: false,
      table,
      count: Math.abs(activeRows - expected),
      detail: `the table's files have ${activeRows} rows, its log accounts for ${expected}`,
      remedy: "The versions that are named here say where the difference comes from.",
    },
  ];
}

async function readEvents({ sql, tell }: VerifyOptions, findings: Finding[]): Promise<readonly LossEvent[]> {
  tell("reading what gateways gave up");
  try {
    return lossEvents((await sql(LOSS_QUERY)).rows);
  } catch (error) {
    if (!(error instanceof PipelineError) || !/^(lake|sql)\./.test(error.code)) throw error;
    findings.push({
      kind: "file",
      explained: false,
      table: "events",
      detail: `what gateways gave up cannot be read: ${describeError(error)}`,
      ...(error.hint === undefined ? {} : { remedy: error.hint }),
    });
    return [];
  }
}

const tableProof = (ledger: TableLedger): TableProof => ({
  table: ledger.table,
  commits: ledger.commits,
  files: ledger.files.size,
  landedRows: ledger.baseRows + ledger.landedRows,
  removedRows: ledger.removedRows,
  rows: ledger.activeRows,
});

/** The key of a table's file in the lake. */
export const fileKey = (table: Stream, path: string): string =>
  `${tablePrefix(table)}${decodeURIComponent(path)}`;
