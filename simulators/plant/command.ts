import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { Command, Option } from "commander";
import type { Host } from "../config.ts";
import { Publisher } from "../fleet/publisher.ts";
import { numberOption } from "../options.ts";
import { readJsonFile } from "../state-file.ts";
import { ControlSubscription } from "./control-subscription.ts";
import { DEMAND_PROFILES } from "./demand.ts";
import type { DemandProfile } from "./demand.ts";
import { Plant } from "./plant.ts";
import { parsePlantState, PUMPS_MAX } from "./plant-state.ts";
import { PlantRunner } from "./run-plant.ts";
import type { PlantSummary } from "./run-plant.ts";

interface PlantCliOptions {
  readonly broker: string;
  readonly pumps?: number;
  readonly seed?: number;
  readonly intervalMs: number;
  readonly profile: DemandProfile;
  readonly dropout: number;
  readonly rubbish: number;
  readonly clientId: string;
  readonly window: number;
  readonly wait: number;
  readonly duration: number;
  readonly state?: string;
  readonly truth?: string;
  readonly control: boolean;
  readonly json?: true;
}

const DEFAULT_PUMPS = 5;
const DEFAULT_SEED = 1;

const EXAMPLES = `
Examples:
  sluice-sim plant --pumps 5 --broker mqtt://localhost:1883
  sluice-sim plant --profile daily --interval-ms 1000 --state plant.json --truth truth.ndjson
  sluice-sim plant --rubbish 0.01 --duration 60 --json

Commands to a running plant, on the MQTT topic plant/control:
  {"command":"break","device":"pump-3","fault":"bearing","overS":20}    bearing, cavitation, valve or sensor
  {"command":"repair","device":"pump-3"}`;

/** `sluice-sim plant`: simulated pumps that publish what their sensors say. */
export function plantCommand(host: Host): Command {
  const ratio = numberOption({ min: 0, max: 1 });
  return new Command("plant")
    .description(
      "Simulate pumps with vibration, current, pressure, temperature, flow and speed, from a seed.",
    )
    .option("--broker <url>", "where to publish", "mqtt://127.0.0.1:1883")
    .option(
      "--pumps <n>",
      `how many pumps: pump-1, pump-2, … (default: ${DEFAULT_PUMPS})`,
      numberOption({ min: 1, max: PUMPS_MAX, whole: true }),
    )
    .option(
      "--seed <n>",
      `the same seed gives the same plant (default: ${DEFAULT_SEED})`,
      numberOption({ min: 0, max: 0xffff_ffff, whole: true }),
    )
    .option(
      "--interval-ms <ms>",
      "time between two messages of a pump",
      numberOption({ min: 10, max: 3_600_000, whole: true }),
      200,
    )
    .addOption(
      new Option("--profile <name>", "how demand moves").choices(DEMAND_PROFILES).default("demo" as const),
    )
    .option("--dropout <share>", "how often a reading is missing", ratio, 0.002)
    .option("--rubbish <share>", "how often a bad message follows a good one", ratio, 0)
    .option("--client-id <id>", "MQTT client id", "plant")
    .option(
      "--window <n>",
      "most messages without an acknowledgement",
      numberOption({ min: 1, max: 32_768, whole: true }),
      10_000,
    )
    .option(
      "--wait <s>",
      "how long to wait for a broker that is not there yet",
      numberOption({ min: 0, max: 86_400 }),
      0,
    )
    .option(
      "--duration <s>",
      "stop after this time (0: at Ctrl-C)",
      numberOption({ min: 0, max: 31_536_000 }),
      0,
    )
    .option("--state <file>", "go on from this file and keep it up to date")
    .option("--truth <file>", "write when which fault was, as JSON lines")
    .option("--no-control", "do not listen for commands")
    .option("--json", "print events and the summary as JSON lines")
    .addHelpText("after", EXAMPLES)
    .action((options: PlantCliOptions) => runPlant(host, options));
}

async function runPlant(host: Host, options: PlantCliOptions): Promise<void> {
  const say = (event: object, text: string): void =>
    host.print(options.json === true ? JSON.stringify(event) : text);
  const plant = await openPlant(options);
  const publisher = new Publisher({
    broker: options.broker,
    clientId: options.clientId,
    window: options.window,
    brokerWaitMs: options.wait * 1_000,
    clock: systemClock,
    // Only for when to reconnect.
    random: seededRandom(DEFAULT_SEED),
  });
  const runner = new PlantRunner({
    plant,
    publisher,
    clock: systemClock,
    intervalMs: options.intervalMs,
    durationMs: options.duration * 1_000,
    stateFile: options.state,
    truthFile: options.truth,
    signal: host.interrupted,
  });
  const control = new ControlSubscription(options.broker, `${options.clientId}-control`, (payload) => {
    runner.control(payload).then(
      (command) => say({ event: "command", ...command }, `${command.device}: ${describeCommand(command)}`),
      (error: unknown) => host.complain(`sluice-sim plant: ${describeError(error)}`),
    );
  });
  await publisher.start();
  try {
    if (options.control) await control.start();
    const { broker, intervalMs } = options;
    say(
      { event: "ready", broker, devices: plant.devices },
      `${plant.devices.length} pumps publish to ${broker} every ${intervalMs} ms`,
    );
    const summary = await runner.run();
    say({ event: "stopped", ...summary }, describeSummary(summary));
    if (summary.unacknowledged + summary.shed > 0)
      throw new PipelineError(
        "plant.unacknowledged",
        `${summary.unacknowledged} messages were not acknowledged and ${summary.shed} were shed`,
        { hint: "The broker was away or too slow." },
      );
  } finally {
    await control.stop();
    await publisher.stop();
  }
}

async function openPlant(options: PlantCliOptions): Promise<Plant> {
  const { profile: demand, dropout, rubbish } = options;
  const saved = options.state === undefined ? undefined : await readJsonFile(options.state);
  const earlier = saved === undefined ? undefined : parsePlantState(saved, options.state ?? "");
  const differs = (name: string, asked: number | undefined, kept: number | undefined): void => {
    if (asked === undefined || kept === undefined || asked === kept) return;
    throw new PipelineError("plant.state_differs", `--${name} ${asked}: ${options.state} has ${kept}`, {
      hint: `Leave --${name} out to go on, or remove the file to begin afresh.`,
    });
  };
  differs("seed", options.seed, earlier?.seed);
  differs("pumps", options.pumps, earlier?.pumps.length);
  const seed = earlier?.seed ?? options.seed ?? DEFAULT_SEED;
  const pumps = earlier?.pumps.length ?? options.pumps ?? DEFAULT_PUMPS;
  return new Plant({ seed, pumps, demand, dropout, rubbish }, systemClock.nowUs(), earlier);
}

function describeCommand(command: Awaited<ReturnType<PlantRunner["control"]>>): string {
  return command.command === "repair" ? "repaired" : `${command.fault} fault over ${command.overS} s`;
}

function describeSummary(summary: PlantSummary): string {
  const { sent, acknowledged, resent, reconnects, ackLatencyMs } = summary;
  return (
    `sent ${sent}, acknowledged ${acknowledged}, sent again ${resent}, reconnects ${reconnects}, ` +
    `acknowledgement p50 ${ackLatencyMs.p50.toFixed(1)} ms, p99 ${ackLatencyMs.p99.toFixed(1)} ms`
  );
}
