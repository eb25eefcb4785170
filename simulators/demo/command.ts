import { resolve } from "node:path";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { readSettingsFile, type SettingsAnswer } from "@sluice/shared/runtime/settings-file.ts";
import { Command, Option } from "commander";
import type { Host } from "../config.ts";
import { type DemoResult, runDemo } from "../demo.ts";
import { numberOption } from "../options.ts";

interface DemoCliOptions {
  readonly dir: string;
  readonly seed: number;
  readonly until: "loop-closed" | "stopped";
  readonly timeout: number;
  readonly json?: true;
  readonly lake?: string;
}

const EXAMPLES = `
Examples:
  sluice-sim demo
  sluice-sim demo --lake s3.yaml
  sluice-sim demo --until loop-closed --timeout 300 --json`;

/** `sluice-sim demo`: the whole loop on this machine. */
export function demoCommand(host: Host): Command {
  return new Command("demo")
    .description("Run a plant, a gateway, a lake and the cloud on this machine, and watch the loop close.")
    .option(
      "--dir <folder>",
      "where everything is kept; the same folder goes on where it stopped",
      "sluice-demo",
    )
    .option("--seed <n>", "the plant's seed", numberOption({ min: 0, max: 0xffff_ffff, whole: true }), 7)
    .addOption(
      new Option("--until <when>", "when to stop")
        .choices(["stopped", "loop-closed"])
        .default("stopped" as const),
    )
    .option(
      "--timeout <s>",
      "with --until: give up after this time",
      numberOption({ min: 1, max: 86_400 }),
      300,
    )
    .option("--lake <file>", "lake settings (YAML), as under `lake` in gateway.yaml; without it a folder")
    .option("--json", "print JSON lines instead of the view")
    .addHelpText("after", EXAMPLES)
    .action((options: DemoCliOptions) => demo(host, options));
}

async function demo(host: Host, options: DemoCliOptions): Promise<void> {
  const { dir, seed, until, timeout, json } = options;
  const lake = options.lake === undefined ? undefined : readSettingsFile(options.lake, {}, checkObject);
  const result = await runDemo(
    { dir: resolve(dir), seed, until, timeoutS: timeout, json: json === true, lake },
    { clock: systemClock, execPath: host.execPath, signal: host.interrupted, terminal: host.terminal },
  );
  host.print(json === true ? JSON.stringify({ event: "result", ...result }) : describeResult(result));
  if (result.failure !== undefined) throw new PipelineError("demo.failed", result.failure);
  if (until === "loop-closed" && !result.closed)
    throw new PipelineError(
      "demo.not_closed",
      `this step did not come in ${result.elapsedS} s: ${result.missing ?? ""}`,
      {
        hint: `What the programs said is in ${resolve(dir, "logs")}.`,
      },
    );
}

/** The programs check the rest: they know what a lake can be. */
function checkObject(input: unknown): SettingsAnswer<object> {
  return typeof input === "object" && input !== null
    ? { data: input }
    : { error: { issues: [{ path: [], message: "must be settings such as kind: s3" }] } };
}

function describeResult({ closed, elapsedS, verdict }: DemoResult): string {
  const outcome = closed ? `The loop is closed after ${elapsedS} s.` : `Stopped after ${elapsedS} s.`;
  return verdict === undefined ? outcome : `${outcome}\n${verdict}`;
}
