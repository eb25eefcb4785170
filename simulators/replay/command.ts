import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { Command, Option } from "commander";
import { readFile } from "node:fs/promises";
import type { Host } from "../config.ts";
import { Publisher } from "../fleet/publisher.ts";
import { numberOption } from "../options.ts";
import { readJsonFile, writeAtomically } from "../state-file.ts";
import { alignFiles, mergeFiles } from "./merge.ts";
import type { MovedFile } from "./merge.ts";
import { parseReplayMap } from "./replay-map.ts";
import type { ReplayMap } from "./replay-map.ts";
import { fingerprintOf, parseReplayState } from "./replay-state.ts";
import type { ReplayState } from "./replay-state.ts";
import { Replayer } from "./replayer.ts";
import { describeSummary, progressLine, rateOf } from "./report.ts";
import type { BadRow } from "./row.ts";
import { planShiftUs } from "./shift.ts";
import { surveyFiles } from "./survey.ts";
import { writeTruth } from "./truth-file.ts";

interface ReplayCliOptions {
  readonly map: string;
  readonly speed: number;
  readonly shiftTo: "now" | "none";
  readonly together?: true;
  readonly gapMax?: number;
  readonly broker: string;
  readonly clientId: string;
  readonly window: number;
  readonly wait: number;
  readonly state?: string;
  readonly truth?: string;
  readonly skipBad?: true;
  readonly json?: true;
}

/** All files are open at once to be merged; most systems allow 1,024. */
const FILES_MAX = 1_000;

/** Bad rows that are listed one by one; all are counted. */
const BAD_ROWS_LISTED_MAX = 20;

/** How long an interrupted replay waits for what it has sent. */
const DRAIN_MS = 5_000;

const EXAMPLES = `
Examples:
  sluice-sim replay valve1/*.csv --map simulators/replay/maps/skab.yaml --speed 60
  sluice-sim replay valve1/*.csv --map simulators/replay/maps/skab.yaml --speed 0 --together --state replay.json
  sluice-sim replay gt_2011.csv gt_2012.csv --map simulators/replay/maps/gas-turbine.yaml --speed 0 --shift-to none

Rows go out in the order of their event times, over all files. With --shift-to now they are moved so that the last
row is measured when it is published, and none lies in the future.`;

/** `sluice-sim replay`: recorded CSV data through MQTT. */
export function replayCommand(host: Host): Command {
  return new Command("replay")
    .description("Publish recorded CSV files, each row as one JSON message, at their own pace or faster.")
    .argument("<file...>", "CSV files")
    .requiredOption("--map <file>", "how columns become time, device and metrics (YAML)")
    .option(
      "--speed <factor>",
      "event time over wall time; 0: as fast as acknowledgements allow",
      numberOption({ min: 0, max: 1e9 }),
      1,
    )
    .addOption(
      new Option("--shift-to <when>", "move event times to the present, or leave them")
        .choices(["now", "none"])
        .default("none" as const),
    )
    .option("--together", "let all files begin at the same time")
    .option("--gap-max <s>", "shorten longer silences to this", numberOption({ min: 0, max: 31_536_000 }))
    .option("--broker <url>", "where to publish", "mqtt://127.0.0.1:1883")
    .option("--client-id <id>", "MQTT client id", "replay")
    .option(
      "--window <n>",
      "most messages without an acknowledgement",
      numberOption({ min: 1, max: 32_768, whole: true }),
      1_000,
    )
    .option(
      "--wait <s>",
      "how long to wait for a broker that is not there yet",
      numberOption({ min: 0, max: 86_400 }),
      0,
    )
    .option("--state <file>", "after a restart, go on from the last acknowledged row")
    .option("--truth <file>", "write the label columns, which are not published, as JSON lines")
    .option("--skip-bad", "publish the other rows where some cannot be read")
    .option("--json", "print the summary as JSON")
    .addHelpText("after", EXAMPLES)
    .action((files: string[], options: ReplayCliOptions) => runReplay(host, files, options));
}

/** Everything that is settled before the first row goes out. */
interface Prepared {
  readonly map: ReplayMap;
  readonly files: readonly MovedFile[];
  readonly state: ReplayState;
  readonly rows: number;
  readonly emptyRows: number;
  readonly badRows: number;
}

async function runReplay(host: Host, paths: readonly string[], options: ReplayCliOptions): Promise<void> {
  const prepared = await prepare(host, paths, options);
  const { map, files, state, rows } = prepared;
  const publisher = new Publisher({
    broker: options.broker,
    clientId: options.clientId,
    window: options.window,
    brokerWaitMs: options.wait * 1_000,
    clock: systemClock,
    // Only for when to reconnect.
    random: seededRandom(1),
  });
  await publisher.start();
  try {
    const replayer = new Replayer({
      rows: mergeFiles(files, map),
      map,
      publisher,
      clock: systemClock,
      signal: host.interrupted,
      speed: options.speed,
      gapMaxUs: (options.gapMax ?? Infinity) * 1e6,
      shiftUs: state.shiftUs,
      skipRows: state.acknowledged,
      drainMs: DRAIN_MS,
      progress: async (progress) => {
        const { acknowledged } = progress;
        if (options.state !== undefined)
          await writeAtomically(options.state, JSON.stringify({ ...state, acknowledged }));
        host.progress(progressLine(progress, rows, state.acknowledged));
      },
    });
    const end = await replayer.run();
    host.progress("");
    const { resent, reconnects, ackLatencyMs } = publisher.stats();
    const summary = {
      files: files.length,
      rows,
      emptyRows: prepared.emptyRows,
      badRows: prepared.badRows,
      resumedAfter: state.acknowledged,
      acknowledged: end.acknowledged - state.acknowledged,
      shiftUs: state.shiftUs,
      elapsedMs: Math.round(end.elapsedMs),
      rowsPerSecond: Math.round(rateOf(end, state.acknowledged)),
      resent,
      reconnects,
      ackLatencyMs,
    };
    host.print(options.json === true ? JSON.stringify(summary) : describeSummary(summary));
    if (end.acknowledged < rows)
      throw new PipelineError(
        "replay.unfinished",
        `${end.acknowledged} of ${rows} rows are acknowledged`,
        options.state === undefined ? {} : { hint: "Run the same command again to go on." },
      );
  } finally {
    await publisher.stop();
  }
}

async function prepare(host: Host, paths: readonly string[], options: ReplayCliOptions): Promise<Prepared> {
  if (paths.length > FILES_MAX)
    throw new PipelineError("replay.file_refused", `${paths.length} files: at most ${FILES_MAX} at once`);
  const mapText = await readMap(options.map);
  const map = parseReplayMap(mapText, options.map);
  const bad: BadRow[] = [];
  let badRows = 0;
  const surveys = await surveyFiles(paths, map, (row) => {
    badRows++;
    if (bad.length < BAD_ROWS_LISTED_MAX) bad.push(row);
  });
  for (const { file, line, problem } of bad) host.complain(`${file}:${line}: ${problem}`);
  if (badRows > bad.length) host.complain(`… and ${badRows - bad.length} more`);
  if (badRows > 0 && options.skipBad !== true)
    throw new PipelineError("replay.bad_rows", `${badRows} rows cannot be read; nothing was published`, {
      hint: "Mend the files or the map, or give --skip-bad to publish the other rows.",
    });
  const together = options.together === true;
  const files = alignFiles(surveys, together);
  const fingerprint = fingerprintOf(mapText, surveys, together);
  const saved = options.state === undefined ? undefined : await readJsonFile(options.state);
  const state =
    saved === undefined
      ? { formatVersion: 1 as const, fingerprint, acknowledged: 0, shiftUs: shiftOf(files, options) }
      : parseReplayState(saved, options.state ?? "", fingerprint);
  if (options.truth !== undefined) await writeTruth(options.truth, mergeFiles(files, map), state.shiftUs);
  const sum = (pick: (survey: MovedFile) => number): number =>
    files.reduce((total, survey) => total + pick(survey), 0);
  return { map, files, state, rows: sum((f) => f.rows), emptyRows: sum((f) => f.emptyRows), badRows };
}

async function readMap(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new PipelineError("replay.map_refused", `cannot read ${path}`, {
      cause,
      hint: "There are maps for well-known data sets in simulators/replay/maps.",
    });
  }
}

function shiftOf(files: readonly MovedFile[], { shiftTo, speed, gapMax }: ReplayCliOptions): number {
  if (shiftTo === "none") return 0;
  const some = files.filter(({ rows }) => rows > 0);
  const fromUs = Math.min(...some.map((file) => file.fromUs + file.moveUs));
  const toUs = Math.max(...some.map((file) => file.toUs + file.moveUs));
  return planShiftUs({ fromUs, toUs, nowUs: systemClock.nowUs(), speed, isShortened: gapMax !== undefined });
}
