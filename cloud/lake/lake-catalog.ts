import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { OpenedLake } from "./command-host.ts";
import { type CheckpointKeys, listLog } from "./delta-listing.ts";
import { DeltaReader } from "./delta-reader.ts";
import { PARTITION_COLUMN } from "./delta-schema.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "./delta-snapshot.ts";
import { parseStats } from "./delta-stats.ts";
import { meaningOf, TABLE_MEANING } from "./lake-catalog-meaning.ts";
import { timeOf } from "./verify-ledger.ts";
import { type TimeSpan, unionOf } from "./verify-finding.ts";

/** A file below this share of a compacted one is small. */
const SMALL_SHARE = 1 / 4;

/** Views whose owners are read. */
const VIEWS_MAX = 1_000;

/** One table as its log's newest version has it. */
export interface CatalogTable {
  readonly table: Stream;
  readonly meaning: string;
  /** Who answers for the rows: the owners of the views for what follows from views, else the gateways that write. */
  readonly owners: readonly string[];
  readonly version: number;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  readonly gateways: number;
  readonly days: number;
  readonly oldestRow: string | undefined;
  readonly newestRow: string | undefined;
  readonly newestCommit: string | undefined;
  readonly checkpoint: number | undefined;
  /** What should be mended, with the command. */
  readonly warnings: readonly string[];
}

export interface CatalogColumn {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly meaning: string | undefined;
}

/** One day of a table. */
export interface CatalogDay {
  readonly day: string;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  readonly smallFiles: number;
}

/** A table with everything that is known of it from its log. */
export interface CatalogDetail extends CatalogTable {
  readonly columns: readonly CatalogColumn[];
  /** Newest first. */
  readonly byDay: readonly CatalogDay[];
  readonly minReaderVersion: number | undefined;
  readonly minWriterVersion: number | undefined;
  readonly properties: Readonly<Record<string, string>>;
  readonly checkpoints: readonly number[];
  readonly tombstones: number;
  readonly location: string;
}

interface Read {
  readonly table: Stream;
  readonly snapshot: Snapshot;
  readonly checkpoints: readonly CheckpointKeys[];
}

/** All tables. One whose log cannot be read is a warning, and the others are shown. */
export async function listTables(opened: OpenedLake): Promise<readonly CatalogTable[]> {
  const owners = await viewOwners(opened);
  return Promise.all(
    STREAMS.map(async (table) => {
      try {
        return describe(await readTable(opened.store, table), opened, owners);
      } catch (error) {
        if (!(error instanceof PipelineError) || !error.code.startsWith("lake.")) throw error;
        return {
          ...describe({ table, snapshot: EMPTY_SNAPSHOT, checkpoints: [] }, opened, owners),
          warnings: [describeError(error)],
        };
      }
    }),
  );
}

/** One table. Throws what is wrong with its log. */
export async function showTable(opened: OpenedLake, table: Stream): Promise<CatalogDetail> {
  const read = await readTable(opened.store, table);
  const { metaData, protocol, tombstones } = read.snapshot;
  return {
    ...describe(read, opened, await viewOwners(opened)),
    columns: columnsOf(table, metaData?.schemaString),
    byDay: daysOf(read.snapshot, opened.settings.compactTargetBytes * SMALL_SHARE),
    minReaderVersion: protocol?.minReaderVersion,
    minWriterVersion: protocol?.minWriterVersion,
    properties: metaData?.configuration ?? {},
    checkpoints: read.checkpoints.map(({ version }) => version),
    tombstones: tombstones.size,
    location: tablePrefix(table),
  };
}

async function readTable(store: ObjectStore, table: Stream): Promise<Read> {
  const prefix = `${tablePrefix(table)}_delta_log/`;
  const { checkpoints, commits } = await listLog(store, prefix);
  if (commits.length === 0 && checkpoints.length === 0)
    return { table, snapshot: EMPTY_SNAPSHOT, checkpoints };
  const { snapshot } = await new DeltaReader(store, prefix, () => undefined).newest();
  return { table, snapshot, checkpoints };
}

function describe(
  { table, snapshot, checkpoints }: Read,
  { settings }: OpenedLake,
  owners: readonly string[],
): CatalogTable {
  const files = [...snapshot.files.values()];
  const span = files.reduce<TimeSpan | undefined>(
    (all, { stats }) => unionOf(all, timeOf(table, parseStats(stats))),
    undefined,
  );
  const gateways = gatewaysOf(snapshot, table);
  const days = daysOf(snapshot, settings.compactTargetBytes * SMALL_SHARE);
  const at = (us: number | undefined): string | undefined => (us === undefined ? undefined : isoTime(us));
  return {
    table,
    meaning: TABLE_MEANING[table],
    owners: table === "features" || table === "predictions" ? owners : gateways,
    version: snapshot.version,
    rows: days.reduce((sum, { rows }) => sum + rows, 0),
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    gateways: gateways.length,
    days: days.length,
    oldestRow: at(span?.fromUs),
    newestRow: at(span?.throughUs),
    newestCommit: snapshot.version < 0 ? undefined : isoTime(snapshot.committedAtMs * 1_000),
    checkpoint: checkpoints.at(-1)?.version,
    warnings: smallFileWarnings(table, days, settings.compactFilesMin),
  };
}

const gatewaysOf = ({ txns }: Snapshot, table: Stream): readonly string[] => [
  ...new Set(
    [...txns.keys()].filter((appId) => appId.endsWith(`/${table}`)).map((appId) => appId.split("/")[0] ?? ""),
  ),
];

function daysOf({ files }: Snapshot, smallBytes: number): readonly CatalogDay[] {
  const days = Map.groupBy(
    files.values(),
    ({ partitionValues }) => partitionValues[PARTITION_COLUMN] ?? "no day",
  );
  return [...days]
    .map(([day, own]) => ({
      day,
      rows: own.reduce((sum, { stats }) => sum + (parseStats(stats)?.numRecords ?? 0), 0),
      files: own.length,
      bytes: own.reduce((sum, { size }) => sum + size, 0),
      smallFiles: own.filter(({ size }) => size < smallBytes).length,
    }))
    .toSorted((a, b) => (a.day < b.day ? 1 : -1));
}

/** Days that have many small files: each costs a query a request and a footer. */
function smallFileWarnings(table: Stream, days: readonly CatalogDay[], filesMin: number): readonly string[] {
  const worn = days.filter(({ smallFiles }) => smallFiles >= filesMin);
  const worst = worn.toSorted((a, b) => b.smallFiles - a.smallFiles)[0];
  if (worst === undefined) return [];
  return [
    `${worn.length} ${worn.length === 1 ? "day has" : "days have"} ${filesMin} or more small files (${worst.day}: ${worst.smallFiles}): sluice-cloud compact --config <file> --table ${table}`,
  ];
}

/** Owners of the views in the lake and in the settings. */
async function viewOwners({ store, views }: OpenedLake): Promise<readonly string[]> {
  const owners = new Set(views.map(({ owner }) => owner));
  let read = 0;
  for await (const { key } of store.list("views/")) {
    if (++read > VIEWS_MAX) break;
    const result = await store.get(key);
    if (result.state !== "found") continue;
    const view = featureViewSchema.safeParse(parseJson(new TextDecoder().decode(result.object.body)));
    if (view.success) owners.add(view.data.owner);
  }
  return [...owners].sort();
}

/** The columns as the table's schema in the log has them. */
function columnsOf(table: Stream, schemaString: string | undefined): readonly CatalogColumn[] {
  const fields: unknown = memberOf(parseJson(schemaString ?? "{}"), "fields");
  return (Array.isArray(fields) ? fields : []).map((field: unknown) => {
    const name = String(memberOf(field, "name"));
    return {
      name,
      type: typeName(memberOf(field, "type")),
      nullable: memberOf(field, "nullable") === true,
      meaning: meaningOf(table, name),
    };
  });
}

function typeName(type: unknown): string {
  if (typeof type === "string") return type;
  const element = memberOf(type, "elementType");
  return element === undefined ? JSON.stringify(type) : `array<${typeName(element)}>`;
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
