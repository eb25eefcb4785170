import { resolve } from "node:path";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { OUT_FORMATS } from "../lake/write-rows.ts";
import { ROW_FORMATS } from "../lake/request-rows.ts";
import { backfill } from "./backfill.ts";
import { backfillFile } from "./backfill-file.ts";
import {
  type Common,
  type FeaturesHost,
  formatOf,
  type MakeCommand,
  showing,
  timeOf,
  toJson,
} from "./command-host.ts";
import { joinFeatures } from "./join.ts";
import { renderParity, verifyFeatures } from "./parity.ts";
import { renderBackfill, renderJoin } from "./render.ts";
import { chooseView } from "./view-file.ts";
import { findView, listViews } from "./views.ts";

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

interface JoinOptions extends Common {
  readonly view: readonly string[];
  readonly rows?: string;
  readonly labels?: true;
  readonly out: string;
  readonly knownAt?: string;
}

/** `features join`: request rows with what was known of their devices. */
export function addJoin(command: MakeCommand, host: FeaturesHost): void {
  command(
    "join",
    "Give each row of a file (columns device, event_time; known_at and gateway if wanted) the features that were known then.",
    "join --config cloud.yaml --view pump_health --rows failures.csv --out training.parquet",
  )
    .requiredOption("--config <file>", "settings file")
    .requiredOption("--view <view>", "a view's name or hash; several times for several views", collect)
    .option("--rows <file>", `the rows: ${ROW_FORMATS.join(", ")}`)
    .option("--labels", "the lake's labels as rows, each at the end of its time")
    .requiredOption("--out <file>", `where to write: ${OUT_FORMATS.join(", ")}`)
    .option(
      "--known-at <time>",
      "what was known by this time, for all rows; else by each row's known_at or event_time",
    )
    .action((options: JoinOptions) =>
      host.withLake(options.config, async ({ store, lake }) => {
        const { views } = await listViews(store);
        const knownAtUs = options.knownAt === undefined ? undefined : timeOf("--known-at", options.knownAt);
        const spec = {
          views: options.view.map((wanted) => findView(views, wanted)),
          rows: rowsOf(options),
          out: { path: resolve(options.out), format: formatOf("--out", options.out, OUT_FORMATS) },
          ...(knownAtUs === undefined ? {} : { knownAtUs }),
        };
        const summary = await showing(host, (progress) => joinFeatures(lake, spec, progress));
        host.print(options.json === true ? toJson(summary) : renderJoin(summary));
      }),
    );
}

function rowsOf({ rows, labels }: JoinOptions): Parameters<typeof joinFeatures>[1]["rows"] {
  if (rows !== undefined && labels !== true)
    return { path: resolve(rows), format: formatOf("--rows", rows, ROW_FORMATS) };
  if (rows === undefined && labels === true) return "labels";
  throw new PipelineError("config.rows", "which rows are to be joined", {
    hint: "Give --rows <file>, or --labels for the lake's labels; one of them.",
  });
}

interface BackfillOptions extends Common {
  readonly view: string;
  readonly from: string;
  readonly to: string;
  readonly gateway?: string;
  readonly device?: string;
  readonly out?: string;
}

/** `features backfill`: a view's vectors from the readings in the lake. */
export function addBackfill(command: MakeCommand, host: FeaturesHost): void {
  command(
    "backfill",
    "Compute a view's vectors from the readings in the lake, as a gateway would have; doing it again adds nothing.",
    "backfill --config cloud.yaml --view new-view.json --from 2026-10-01T00:00:00Z --to 2026-11-01T00:00:00Z",
  )
    .requiredOption("--config <file>", "settings file")
    .requiredOption("--view <view>", "a view's name or hash, or a file (.json, .yaml) with its definition")
    .requiredOption("--from <time>", "windows that begin at or after it")
    .requiredOption("--to <time>", "windows that end by it")
    .option("--gateway <name>", "only readings of this gateway")
    .option("--device <name>", "only vectors of this device")
    .option("--out <file>", `into this file (${OUT_FORMATS.join(", ")}) and not into the lake`)
    .action((options: BackfillOptions) =>
      host.withLake(options.config, async (opened) => {
        const spec = {
          view: await chooseView(opened.store, options.view),
          fromUs: timeOf("--from", options.from),
          toUs: timeOf("--to", options.to),
          ...(options.gateway === undefined ? {} : { gateway: options.gateway }),
          ...(options.device === undefined ? {} : { device: options.device }),
        };
        if (spec.fromUs >= spec.toUs)
          throw new PipelineError("config.time", `--from ${options.from} is not before --to ${options.to}`, {
            hint: "Windows from --from until --to are computed.",
          });
        const out =
          options.out === undefined
            ? undefined
            : { path: resolve(options.out), format: formatOf("--out", options.out, OUT_FORMATS) };
        const results = await showing(host, (progress) =>
          out === undefined
            ? backfill(opened, spec, progress)
            : backfillFile(opened.lake, { ...spec, out }, progress),
        );
        host.print(options.json === true ? toJson(results) : renderBackfill(spec.view, results));
        if (results.length === 0) host.answerIsNo();
      }),
    );
}

/** `features verify`: whether the vectors follow from the readings, to the bit. */
export function addVerify(command: MakeCommand, host: FeaturesHost): void {
  command(
    "verify",
    "Recompute every feature vector in the lake from the readings in the lake, and compare the bits.",
    "verify --config cloud.yaml",
  )
    .requiredOption("--config <file>", "settings file")
    .action(({ config, json }: Common) =>
      host.withLake(config, async ({ lake, store }) => {
        const rows = await showing(host, (progress) => verifyFeatures({ store, lake }, progress));
        host.print(json === true ? toJson(rows) : renderParity(rows));
        if (rows.some(({ problem }) => problem !== undefined)) host.answerIsNo();
      }),
    );
}
