import { extname, resolve } from "node:path";
import { STREAMS } from "@sluice/shared/contract/stream.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { parseAsOf } from "./as-of.ts";
import {
  countOf,
  type LakeHost,
  type LakeOptions,
  type MakeLakeCommand,
  oneOf,
  showing,
  toJson,
} from "./command-host.ts";
import { renderResult, type ResultFormat } from "./render.ts";
import { FILE_FORMATS, type FileFormat } from "./sql-file.ts";
import { interrupted, timedOut } from "./sql-watch.ts";
import { checkOut } from "./write-rows.ts";

const PRINTED = ["table", "csv", "json"] as const satisfies readonly ResultFormat[];

interface SqlCommand extends LakeOptions {
  readonly format?: string;
  readonly out?: string;
  readonly timeout?: string;
  readonly asOf?: string;
}

const VIEWS_HELP = `
Tables and views:
  readings            every reading, as it was measured
  readings_corrected  readings with the steps of their gateway's clock taken out of their times
  features            one row per feature vector; feature_values has one row per feature, by name
  predictions         what models said, with the features that it rests on most
  labels              what people said
  quarantine          what gateways refused, with the reason
  events              what happened at gateways: data given up, clock steps, damage, silence

Columns: sluice-cloud lake show <table>. All times are UTC.`;

/** `sql`: one question to the tables. */
export function addSql(command: MakeLakeCommand, host: LakeHost): void {
  command(
    "sql",
    "Ask the tables.",
    'sql --config cloud.yaml "select metric, count(*) from readings group by 1"',
  )
    .argument(
      "<query>",
      `one SQL statement (DuckDB) that only reads; tables: ${STREAMS.join(", ")}, readings_corrected`,
    )
    .option("--format <format>", `${PRINTED.join(", ")}; with --out also ${FILE_FORMATS.join(", ")}`)
    .option("--out <file>", "into this file; without --format its name says which (.csv, .parquet, .arrow)")
    .option("--timeout <seconds>", "give up after so long; by default tables.queryTimeoutMs")
    .option("--as-of <version|time>", "the tables as they were: a version of one table, or an ISO 8601 time")
    .addHelpText("after", VIEWS_HELP)
    .action((query: string, options: SqlCommand) =>
      host.withLake(options.config, async ({ lake, settings }) => {
        const asOf = options.asOf === undefined ? undefined : parseAsOf(options.asOf);
        const timeoutMs =
          options.timeout === undefined
            ? settings.queryTimeoutMs
            : 1_000 * countOf("--timeout", options.timeout);
        const file = fileOf(options);
        if (file !== undefined) await checkOut(file);
        const format = file === undefined ? printedFormat(options) : undefined;
        const answer = await limited(host, timeoutMs, (signal) =>
          showing(host, async (tell): Promise<string> => {
            tell("planning the query");
            const question = { asOf, tell, signal };
            if (format !== undefined) return renderResult(await lake.sql(query, question), format);
            if (file === undefined) return "";
            const rows = await lake.sqlToFile(query, { ...file, ...question });
            return options.json === true
              ? toJson({ ...file, rows })
              : `${rows.toLocaleString("en")} rows in ${file.path}`;
          }),
        );
        host.print(answer);
      }),
    );
}

/** Runs work that ends at its time limit, and at Ctrl-C. */
async function limited<T>(
  host: LakeHost,
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController();
  const ended = new AbortController();
  host.onSignal(() => ending.abort(interrupted()));
  const waiting = timeoutMs === 0 ? Promise.resolve() : endAfter(timeoutMs, ending, ended.signal);
  try {
    return await work(ending.signal);
  } finally {
    ended.abort();
    await waiting;
  }
}

async function endAfter(timeoutMs: number, ending: AbortController, ended: AbortSignal): Promise<void> {
  await systemClock.sleep(timeoutMs, ended);
  if (!ended.aborted) ending.abort(timedOut(timeoutMs));
}

/** Where the answer goes, where it goes into a file. Throws PipelineError "config.name". */
function fileOf({
  out,
  format,
}: SqlCommand): { readonly path: string; readonly format: FileFormat } | undefined {
  if (out === undefined) return undefined;
  const named = format ?? extname(out).slice(1).toLowerCase();
  return { path: resolve(out), format: oneOf("--format", named === "" ? "(none)" : named, FILE_FORMATS) };
}

function printedFormat({ format, json }: SqlCommand): ResultFormat {
  const chosen = json === true ? "json" : (format ?? "table");
  if (FILE_FORMATS.some((known) => known === chosen && known !== "csv"))
    throw new PipelineError("config.format", `--format ${chosen} cannot be printed`, {
      hint: `Give it a file: --out answer.${chosen}`,
    });
  return oneOf("--format", chosen, PRINTED);
}
