import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import { parseDay } from "./partition.ts";
import {
  type LakeHost,
  type LakeOptions,
  type MakeLakeCommand,
  oneOf,
  showing,
  type Tell,
  toJson,
} from "./command-host.ts";
import { renderCompact, renderRetain, renderVacuum } from "./render-upkeep.ts";

interface UpkeepOptions extends LakeOptions {
  readonly table?: string;
  readonly day?: string;
  readonly dryRun?: true;
}

/** What each of the commands works with. */
interface Chosen {
  readonly streams: readonly Stream[] | undefined;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly say: Tell;
}

/** `compact`, `retain` and `vacuum`: what the service does by itself, once and now. */
export function addUpkeep(command: MakeLakeCommand, host: LakeHost): void {
  command(
    "compact",
    "Merge the small files of tables into few sorted ones, once.",
    "compact --config cloud.yaml",
  )
    .option("--table <name>", "only this table")
    .option("--day <date>", "only this UTC day, and whether it is due or not")
    .option("--dry-run", "say what would be done, and do nothing")
    .action((options: UpkeepOptions) =>
      host.withLake(options.config, async ({ lake }) => {
        const day = options.day === undefined ? undefined : parseDay(options.day);
        const report = await run(host, options, (chosen) => lake.upkeep.compact({ ...chosen, day }));
        host.print(options.json === true ? toJson(report) : renderCompact(report));
      }),
    );
  command(
    "retain",
    "Thin and drop the days of tables that are due by tables.retention, once.",
    "retain --config cloud.yaml --dry-run",
  )
    .option("--table <name>", "only this table")
    .option("--dry-run", "say what would be done, and do nothing")
    .action((options: UpkeepOptions) =>
      host.withLake(options.config, async ({ lake }) => {
        const report = await run(host, options, (chosen) => lake.upkeep.retain(chosen));
        host.print(options.json === true ? toJson(report) : renderRetain(report));
      }),
    );
  command(
    "vacuum",
    "Delete the data files that no version within tables.tombstoneRetentionMs needs, once.",
    "vacuum --config cloud.yaml --dry-run",
  )
    .option("--table <name>", "only this table")
    .option("--dry-run", "say what would go, and delete nothing")
    .action((options: UpkeepOptions) =>
      host.withLake(options.config, async ({ lake, lease }) => {
        // Orphans are for the holder of the lease; files that commits removed are not needed by anybody.
        const orphans = (await lease.ask()).state === "held";
        const requireHeld = orphans ? (): void => lease.requireHeld() : undefined;
        const report = await run(host, options, (chosen) =>
          lease.during(() => lake.upkeep.vacuum({ ...chosen, orphans, requireHeld })),
        );
        host.print(options.json === true ? toJson(report) : renderVacuum(report, orphans));
      }),
    );
}

function run<T>(
  host: LakeHost,
  { table, dryRun }: UpkeepOptions,
  work: (chosen: Chosen) => Promise<T>,
): Promise<T> {
  const stopping = new AbortController();
  // A day that is under way is given up: it is there whole or not at all.
  host.onSignal(() => stopping.abort());
  const streams = table === undefined ? undefined : [oneOf("--table", table, STREAMS)];
  return showing(host, (say) => work({ streams, dryRun: dryRun === true, signal: stopping.signal, say }));
}
