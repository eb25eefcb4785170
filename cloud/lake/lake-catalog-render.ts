import type { CatalogDetail, CatalogTable } from "./lake-catalog.ts";
import type { HistoryLine, TableHistory } from "./lake-history.ts";
import { bounded, shown, tableLines } from "./verify-render.ts";

/** Gateways or owners that are named in one cell. */
const NAMES_SHOWN_MAX = 3;

/** All tables, a line each, and what should be mended. */
export function renderTables(tables: readonly CatalogTable[]): string {
  const lines = tableLines(
    ["table", "#version", "#rows", "#files", "size", "#days", "newest row", "newest commit", "owners"],
    tables.map((table) => [
      table.table,
      table.version < 0 ? "-" : String(table.version),
      shown(table.rows),
      shown(table.files),
      sizeOf(table.bytes),
      shown(table.days),
      timeText(table.newestRow),
      timeText(table.newestCommit),
      names(table.owners),
    ]),
  );
  const warnings = tables.flatMap(({ table, warnings: own }) =>
    own.map((warning) => `warning: ${table}: ${warning}`),
  );
  return [...lines, ...(warnings.length === 0 ? [] : ["", ...warnings])].join("\n");
}

/** One table: what it is, its columns, its newest days. `limit` bounds the days. */
export function renderTable(table: CatalogDetail, limit: number): string {
  const facts = [
    ["is", table.meaning],
    ["lies at", table.location],
    ["owners", names(table.owners)],
    [
      "version",
      table.version < 0 ? "no commit yet" : `${table.version}, committed ${timeText(table.newestCommit)}`,
    ],
    ["rows", `${shown(table.rows)} from ${timeText(table.oldestRow)} to ${timeText(table.newestRow)}`],
    ["files", `${shown(table.files)} of ${shown(table.days)} days, ${sizeOf(table.bytes)}`],
    ["gateways", shown(table.gateways)],
    ["protocol", `reader ${table.minReaderVersion ?? "-"}, writer ${table.minWriterVersion ?? "-"}`],
    [
      "checkpoints",
      table.checkpoints.length === 0
        ? "none"
        : `${table.checkpoints.length}, newest ${table.checkpoint ?? "-"}`,
    ],
    ["removed files", `${shown(table.tombstones)} kept for readers of older versions`],
    ...Object.entries(table.properties).map(([name, value]) => [name, value]),
  ];
  return [
    table.table,
    ...tableLines(["", ""], facts).slice(1),
    "",
    ...tableLines(
      ["column", "type", "meaning"],
      table.columns.map(({ name, type, nullable, meaning }) => [
        name,
        type,
        `${meaning ?? "not known to this version"}${nullable ? " (may be empty)" : ""}`,
      ]),
    ),
    "",
    ...bounded(table.byDay, limit, "days", (some) =>
      tableLines(
        ["day", "#rows", "#files", "#small", "size"],
        some.map(({ day, rows, files, smallFiles, bytes }) => [
          day,
          shown(rows),
          shown(files),
          shown(smallFiles),
          sizeOf(bytes),
        ]),
      ),
    ),
    ...table.warnings.map((warning) => `warning: ${warning}`),
  ].join("\n");
}

/** The versions of a table, newest first. */
export function renderHistory({ table, versions, more, oldest }: TableHistory): string {
  if (versions.length === 0) return `${table} has no version yet`;
  return [
    ...tableLines(
      ["#version", "time", "operation", "#files", "#rows", "gateways", "reason", "engine"],
      versions.map(historyCells),
    ),
    ...(more > 0 ? [`(${shown(more)} more versions, down to ${oldest ?? 0}: raise --limit)`] : []),
    ...(oldest !== undefined && oldest > 0 ? [`(versions before ${oldest} were cleaned up)`] : []),
  ].join("\n");
}

const historyCells = (line: HistoryLine): readonly string[] => [
  String(line.version),
  timeText(line.at),
  line.operation,
  change(line.filesAdded, line.filesRemoved),
  change(line.rowsAdded, line.rowsRemoved),
  names(line.gateways),
  [line.reason ?? "", line.lostRanges === 0 ? "" : `${line.lostRanges} ranges lost`]
    .filter((text) => text !== "")
    .join(", "),
  line.engine ?? "",
];

function change(added: number | undefined, removed: number | undefined): string {
  const text = (sign: string, count: number | undefined): string =>
    `${sign}${count === undefined ? "?" : shown(count)}`;
  return removed === 0 ? text("+", added) : `${text("+", added)} ${text("-", removed)}`;
}

function names(all: readonly string[]): string {
  if (all.length === 0) return "-";
  const more = all.length - NAMES_SHOWN_MAX;
  return `${all.slice(0, NAMES_SHOWN_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

const timeText = (time: string | undefined): string => time?.replace(/\.\d+Z$/, "Z") ?? "-";

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

function sizeOf(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${(bytes / 1_024 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power] ?? ""}`;
}
