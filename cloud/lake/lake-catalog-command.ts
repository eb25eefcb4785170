import { STREAMS } from "@sluice/shared/contract/stream.ts";
import {
  countOf,
  type LakeHost,
  type LakeOptions,
  type MakeLakeCommand,
  oneOf,
  showing,
  toJson,
} from "./command-host.ts";
import { listTables, showTable } from "./lake-catalog.ts";
import { renderHistory, renderTable, renderTables } from "./lake-catalog-render.ts";
import { tableHistory } from "./lake-history.ts";

interface Limited extends LakeOptions {
  readonly limit: string;
}

const TABLE = `a table (${STREAMS.join(", ")})`;

/** `lake ls`: all tables. */
export function addLakeList(command: MakeLakeCommand, host: LakeHost): void {
  command(
    "ls",
    "List the tables: rows, files, sizes, how fresh they are, and what should be mended.",
    "ls --config cloud.yaml",
  ).action(({ config, json }: LakeOptions) =>
    host.withLake(config, async (opened) => {
      const tables = await showing(host, (tell) => {
        tell("reading the logs of the tables");
        return listTables(opened);
      });
      host.print(json === true ? toJson({ tables }) : renderTables(tables));
    }),
  );
}

/** `lake show`: one table. */
export function addLakeShow(command: MakeLakeCommand, host: LakeHost): void {
  command(
    "show",
    "Show a table: columns with types and meaning, days, protocol, checkpoints.",
    "show --config cloud.yaml readings",
  )
    .argument("<table>", TABLE)
    .option("--limit <count>", "most days that are listed", "20")
    .action((name: string, { config, json, limit }: Limited) =>
      host.withLake(config, async (opened) => {
        const table = await showing(host, (tell) => {
          tell(`reading the log of ${name}`);
          return showTable(opened, oneOf("table", name, STREAMS));
        });
        const days = countOf("--limit", limit);
        host.print(
          json === true ? toJson({ ...table, byDay: table.byDay.slice(0, days) }) : renderTable(table, days),
        );
      }),
    );
}

/** `lake history`: what became of one table. */
export function addLakeHistory(command: MakeLakeCommand, host: LakeHost): void {
  command(
    "history",
    "Show a table's versions, newest first: what each added and removed, from which gateways, why, and by which program.",
    "history --config cloud.yaml readings --limit 50",
  )
    .argument("<table>", TABLE)
    .option("--limit <count>", "most versions that are listed", "20")
    .action((name: string, { config, json, limit }: Limited) =>
      host.withLake(config, async ({ store }) => {
        const history = await showing(host, (tell) => {
          tell(`reading the log of ${name}`);
          return tableHistory(store, oneOf("table", name, STREAMS), countOf("--limit", limit));
        });
        host.print(json === true ? toJson(history) : renderHistory(history));
      }),
    );
}
