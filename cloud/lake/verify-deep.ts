import type { ColumnTable } from "@sluice/shared/codec/columns.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { decodeLandingVersion } from "@sluice/shared/codec/landing.ts";
import { isNumbered, type Stream } from "@sluice/shared/contract/stream.ts";
import { LANDING_COLUMNS } from "@sluice/shared/contract/table.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import type { LandingObject } from "./plan-landing.ts";
import { fileKey, type Verified, type VerifyOptions, type VerifyScope } from "./verify.ts";
import type { Finding } from "./verify-finding.ts";
import type { CommittedRange, LedgerEntry, TableLedger } from "./verify-ledger.ts";
import { quoteName, quoteText } from "./views.ts";

/** Ranges that one query counts: its text stays below a megabyte. */
const RANGES_PER_QUERY = 5_000;

/**
 * Reads what the proof from the logs takes on trust: that table files have the bytes that their names say, that each
 * committed range has as many rows in the table as it had when it landed, none of them twice, and that the rows of
 * landing objects that are still there are in the table, value by value.
 */
export async function verifyDeep(
  options: VerifyOptions,
  { ledgers, landing }: Pick<Verified, "ledgers" | "landing">,
  scope: VerifyScope,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const ledger of ledgers.values()) {
    if (scope.tables !== undefined && !scope.tables.includes(ledger.table)) continue;
    const damaged = await checkFiles(options, ledger);
    findings.push(...damaged);
    // What cannot be read cannot be counted.
    if (damaged.length > 0) continue;
    findings.push(...(await findDuplicates(options, ledger)));
    for (const [appId, entry] of ledger.entries) {
      if (scope.gateway !== undefined && scope.gateway !== entry.gateway) continue;
      findings.push(...(await countRanges(options, ledger, entry)));
      findings.push(...(await compareLanding(options, { ledger, entry, objects: landing.get(appId) ?? [] })));
    }
  }
  return findings;
}

/** Files of ours are named after their bytes. */
async function checkFiles(
  { store, tell }: VerifyOptions,
  { table, files }: TableLedger,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  let done = 0;
  for (const { file } of files.values()) {
    tell(`reading the files of ${table}`, ++done / files.size);
    const key = fileKey(table, file.path);
    const named = /part-([0-9a-f]{64})\.parquet$/.exec(key)?.[1];
    const result = await store.get(key);
    const sha256 = result.state === "found" ? sha256Hex(result.object.body) : undefined;
    if (sha256 !== undefined && (named === undefined || sha256 === named)) continue;
    findings.push({
      kind: "file",
      explained: false,
      table,
      detail:
        sha256 === undefined
          ? `${key} is gone`
          : `${key} has the SHA-256 ${sha256}: its bytes are not those that were written`,
      remedy: "Restore the object from a backup of the lake.",
    });
  }
  return findings;
}

/** The columns that tell the rows of a gateway's epoch apart. */
const identityOf = (table: Stream): readonly string[] => {
  if (isNumbered(table)) return ["seq"];
  return LANDING_COLUMNS[table].some(({ name }) => name === "index") ? ["offset", "index"] : ["offset"];
};

async function findDuplicates(
  { sql, tell }: VerifyOptions,
  { table }: TableLedger,
): Promise<readonly Finding[]> {
  tell(`looking for rows of ${table} that are there twice`);
  const identity = identityOf(table).map(quoteName).join(", ");
  const { rows } = await sql(
    `SELECT gateway, epoch, count(*), min(${quoteName(identityOf(table)[0] ?? "")}) FROM (
       SELECT gateway, epoch, ${identity} FROM ${table} GROUP BY ALL HAVING count(*) > 1) GROUP BY ALL`,
  );
  return rows.map(([gateway, epoch, count, first]) => ({
    kind: "overlap",
    explained: false,
    table,
    gateway: String(gateway),
    epoch: String(epoch),
    from: Number(first),
    count: Number(count),
    detail: `${String(count)} rows are there twice, the first at offset ${String(first)}`,
    remedy: "Compare them with `sluice-cloud sql`, and look at the table's history.",
  }));
}

/** Whether each range has as many rows in the table as its landing object had. */
async function countRanges(
  { sql, tell }: VerifyOptions,
  { table, removedRows }: TableLedger,
  entry: LedgerEntry,
): Promise<readonly Finding[]> {
  const { gateway, epoch, baseThrough } = entry;
  const ranges = entry.ranges.filter((range) => range.rows !== undefined);
  const findings: Finding[] = [];
  const major = quoteName(isNumbered(table) ? "seq" : "offset");
  for (let start = 0; start < ranges.length; start += RANGES_PER_QUERY) {
    tell(`counting rows of ${table} of ${gateway}`, start / ranges.length);
    const chunk = ranges.slice(start, start + RANGES_PER_QUERY);
    const { rows } = await sql(
      `SELECT r.f, count(*) FROM ${table} AS t ASOF JOIN (VALUES ${chunk.map(({ from }) => `(${from})`).join(", ")}) AS r(f)
         ON t.${major} >= r.f WHERE t.gateway = ${quoteText(gateway)} AND t.epoch = ${quoteText(epoch)}
         AND t.${major} BETWEEN ${chunk[0]?.from ?? 0} AND ${chunk.at(-1)?.to ?? 0} GROUP BY 1`,
    );
    const counts = new Map(rows.map(([from, count]) => [Number(from), Number(count)]));
    for (const range of chunk) {
      const count = counts.get(range.from) ?? 0;
      const isThinned = removedRows > 0 && count < (range.rows ?? 0);
      if (count !== range.rows && !isThinned) findings.push(differs({ table, gateway, epoch }, range, count));
    }
  }
  return baseThrough >= 0 ? findings.filter(({ from = -1 }) => from > baseThrough) : findings;
}

const differs = (
  place: { readonly table: Stream; readonly gateway: string; readonly epoch: string },
  { from, to, rows = 0, version, key }: CommittedRange,
  count: number,
): Finding => ({
  kind: "count",
  explained: false,
  ...place,
  from,
  to,
  count: Math.abs(rows - count),
  detail: `the table has ${count} rows of offsets ${from} to ${to}, version ${version} took ${rows} of them from ${key}`,
  remedy: `Rows were added or removed since: \`sluice-cloud lake history ${place.table}\` says by whom.`,
});

/** Whether the rows of landing objects that are still there are in the table, value by value. */
async function compareLanding(
  { store, sql, tell }: VerifyOptions,
  {
    ledger: { table, removedRows },
    entry: { gateway, epoch, ranges },
    objects,
  }: {
    readonly ledger: TableLedger;
    readonly entry: LedgerEntry;
    readonly objects: readonly LandingObject[];
  },
): Promise<readonly Finding[]> {
  const committed = new Map(ranges.map((range) => [range.key, range]));
  const findings: Finding[] = [];
  let done = 0;
  for (const object of objects) {
    tell(`comparing rows of ${table} of ${gateway} with those that landed`, done++ / objects.length);
    const range = committed.get(object.key);
    if (range?.sha256 === undefined) continue;
    const result = await store.get(object.key);
    if (result.state !== "found") continue;
    const place = { table, gateway, epoch, from: range.from, to: range.to };
    const sha256 = sha256Hex(result.object.body);
    if (sha256 !== range.sha256) {
      findings.push({
        kind: "landing_differs",
        explained: false,
        ...place,
        detail: `${object.key} has the SHA-256 ${sha256}, version ${range.version} took ${range.sha256}`,
        remedy: "The table has the rows as they were committed; look for who changes objects below landing/.",
      });
      continue;
    }
    const landed = decodeLandingVersion(table, result.object.body).table;
    const { rows } = await sql(rowsQuery(table, { gateway, epoch }, range));
    const different = compareRows(table, landed, rows, removedRows > 0);
    if (different !== undefined)
      findings.push({
        kind: "count",
        explained: false,
        ...place,
        detail: `the table has other rows than ${object.key}: ${different}`,
        remedy:
          "The landing object has the rows as the gateway sent them: compare them with `sluice-cloud sql`.",
      });
  }
  return findings;
}

function rowsQuery(
  table: Stream,
  { gateway, epoch }: { readonly gateway: string; readonly epoch: string },
  { from, to }: CommittedRange,
): string {
  const columns = LANDING_COLUMNS[table].map(({ name }) => quoteName(name)).join(", ");
  const identity = identityOf(table).map(quoteName);
  return `SELECT ${columns} FROM ${table} WHERE gateway = ${quoteText(gateway)} AND epoch = ${quoteText(epoch)}
    AND ${identity[0] ?? ""} BETWEEN ${from} AND ${to} ORDER BY ${identity.join(", ")}`;
}

/** What differs first; undefined: nothing. Where a rule has thinned the table out, rows of it may be missing. */
function compareRows(
  table: Stream,
  landed: ColumnTable,
  rows: readonly (readonly unknown[])[],
  isThinned: boolean,
): string | undefined {
  const columns = LANDING_COLUMNS[table];
  const keyOf = (row: readonly unknown[]): string =>
    identityOf(table)
      .map((name) => String(row[columns.findIndex((column) => column.name === name)]))
      .join(".");
  const there = new Map(rows.map((row) => [keyOf(row), row]));
  if (!isThinned && rows.length !== landed.count) return `${rows.length} rows, and ${landed.count} landed`;
  for (let row = 0; row < landed.count; row++) {
    const expected = columns.map((column) => landedValue(landed, column.name, column.type, row));
    const found = there.get(keyOf(expected));
    if (found === undefined) {
      if (isThinned) continue;
      return `row ${keyOf(expected)} is missing`;
    }
    const wrong = columns.findIndex((_, i) => textOf(found[i]) !== textOf(expected[i]));
    if (wrong >= 0)
      return `row ${keyOf(expected)} has ${columns[wrong]?.name ?? ""} ${textOf(found[wrong])}, ${textOf(expected[wrong])} landed`;
  }
  return undefined;
}

/** A value of a landing object as a query answers with it. */
function landedValue(table: ColumnTable, name: string, type: string, row: number): unknown {
  const data = table.columns[name];
  switch (data?.kind) {
    case "numbers": {
      const value = data.values[row] ?? NaN;
      return type === "timestamp" ? isoMicroseconds(value) : value;
    }
    case "strings":
      return data.dictionary[data.indices[row] ?? -1];
    case "booleans":
      return data.values[row] === 1;
    case "binaries":
      return Buffer.from(data.values[row] ?? new Uint8Array()).toString("hex");
    case "numberLists":
    case "stringLists":
      return data.values[row];
    case undefined:
      return undefined;
  }
}

function isoMicroseconds(us: number): string {
  const below = ((us % 1_000) + 1_000) % 1_000;
  return `${isoTime(us - below).slice(0, -1)}${String(below).padStart(3, "0")}Z`;
}

/** Values side by side: -0 is 0 in JSON, and NaN and infinities would all be null. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    inner === undefined ? null : typeof inner === "number" && !Number.isFinite(inner) ? String(inner) : inner,
  ) ?? "null";
