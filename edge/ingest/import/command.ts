import { TIME_UNITS, type TimeUnit } from "@sluice/shared/codec/payload/time.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { Command, Option } from "commander";
import type { SpoolFolder } from "../spool-folder.ts";

/** What the command needs of the program that it is part of. */
export interface ImportHost {
  print(text: string): void;
  /** Progress and advice, for a person. */
  tell(text: string): void;
  onSignal(handle: () => void): void;
  /** Reads the settings file: where the spool is, which device types the routes name, whether the gateway runs. */
  gateway(config: string): {
    readonly spool: SpoolFolder;
    readonly deviceTypes: readonly string[];
    isRunning(): boolean;
  };
}

interface CliOptions {
  readonly config: string;
  readonly deviceType: string;
  readonly device?: string;
  readonly deviceColumn?: string;
  readonly timeColumn?: string;
  readonly timeUnit: TimeUnit;
  readonly utcOffset: string;
  readonly arrivalTime?: true;
  readonly metrics?: string;
  readonly ignore?: string;
  readonly metricColumn?: string;
  readonly valueColumn?: string;
  readonly delimiter: string;
  readonly json?: true;
}

/** How often progress is shown. */
const PROGRESS_US = 1_000_000;

const EXAMPLES = `
Examples:
  sluice-gateway import readings.csv --config gateway.yaml --device-type pump --device pump-1 --time-column time
  sluice-gateway import history.parquet --config gateway.yaml --device-type pump --device-column machine
  sluice-gateway import long.csv --config gateway.yaml --device-type pump --device-column machine \\
    --metric-column name --value-column value

The rows are checked by the same contract as messages; what breaks it goes to quarantine. The same file imported twice
counts once. The gateway may run or not: if not, the rows wait until it is started.`;

/** `sluice-gateway import`: rows of a CSV, Parquet or Arrow file, by the same way as messages. */
export function importCommand(host: ImportHost): Command {
  return new Command("import")
    .exitOverride()
    .description("Bring in the rows of a CSV, Parquet or Arrow file.")
    .argument("<file>")
    .requiredOption("--config <file>", "settings file of the gateway")
    .requiredOption("--device-type <type>", "what kind of machine the rows are of, as in decode.routes")
    .option("--device <name>", "the device that all rows are of")
    .option("--device-column <name>", "the column with the device's name")
    .option("--time-column <name>", "the column with the event time")
    .addOption(
      new Option("--time-unit <unit>", "how numbers and text in it are to be read")
        .choices(TIME_UNITS)
        .default("iso"),
    )
    .option("--utc-offset <offset>", "zone of ISO times that say none: Z or +02:00", "Z")
    .option("--arrival-time", "the file has no event times: readings get the time at which they are taken in")
    .option("--metrics <names>", "columns that are metrics, with commas between; all others unless said")
    .option("--ignore <names>", "columns that are no metrics, with commas between")
    .option("--metric-column <name>", "the column with the metric's name, where each row is one value")
    .option("--value-column <name>", "the column with the value, where each row is one value")
    .option("--delimiter <character>", "what separates two fields of a CSV file", ",")
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action(async (file: string, options: CliOptions) => run(file, options, host));
}

async function run(file: string, options: CliOptions, host: ImportHost): Promise<void> {
  const gateway = host.gateway(options.config);
  if (!gateway.deviceTypes.includes(options.deviceType))
    throw new PipelineError("import.mapping", `no route has the device type "${options.deviceType}"`, {
      hint: `decode.routes names ${gateway.deviceTypes.join(", ")}.`,
    });
  const halt = new AbortController();
  host.onSignal(() => halt.abort());
  const { spool } = gateway;
  let toldAtUs = systemClock.monotonicUs();
  const parts = {
    spool,
    clock: systemClock,
    signal: halt.signal,
    progress: (rows: number) => {
      if (systemClock.monotonicUs() - toldAtUs < PROGRESS_US) return;
      toldAtUs = systemClock.monotonicUs();
      host.tell(`${rows.toLocaleString("en")} rows handed over …`);
    },
    waiting: () =>
      host.tell(
        gateway.isRunning()
          ? "the gateway is slow to take rows, see sluice-gateway status …"
          : "the spool is full and the gateway is not running: start it, this goes on by itself …",
      ),
  };
  // Only when it is wanted: the readers of file formats would cost every gateway memory.
  const { runImport, taken } = await import("./run-import.ts");
  const result = await runImport(file, mappingOf(options), parts);
  const isRunning = gateway.isRunning();
  if (isRunning) await taken(result.job, parts);
  if (options.json === true)
    host.print(JSON.stringify({ ...result, taken: isRunning && !halt.signal.aborted }));
  else
    host.print(
      `${file}: ${result.rows.toLocaleString("en")} rows ${isRunning ? "taken in" : "wait in the spool until the gateway is started"}${misfits(result)}\n` +
        "  What broke the contract: sluice-gateway quarantine ls. What was there before counts once.",
    );
}

const misfits = ({ malformedRows }: { readonly malformedRows: number }): string =>
  malformedRows === 0
    ? ""
    : `, ${malformedRows.toLocaleString("en")} of them with more or fewer fields than columns, for the quarantine`;

const names = (list: string | undefined): readonly string[] | undefined =>
  list?.split(",").map((name) => name.trim());

function mappingOf(options: CliOptions) {
  const { metrics, ignore, arrivalTime, config: _config, json: _json, ...rest } = options;
  return {
    ...rest,
    arrivalTime: arrivalTime === true,
    metrics: names(metrics),
    ignore: names(ignore) ?? [],
  };
}
