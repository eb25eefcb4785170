import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { Command, InvalidArgumentError } from "commander";
import type { Host } from "../config.ts";
import { Publisher } from "../fleet/publisher.ts";
import { numberOption } from "../options.ts";
import { runLoad } from "./load-run.ts";
import type { LoadResult } from "./load-run.ts";
import { PAYLOAD_BYTES_MIN, PayloadMaker } from "./payload.ts";

interface LoadCliOptions {
  readonly broker: string;
  readonly clients: number;
  readonly rate: number;
  readonly payloadBytes: number;
  readonly qos: 0 | 1;
  readonly duration: number;
  readonly window: number;
  readonly topic: string;
  readonly clientPrefix: string;
  readonly seed: number;
  readonly json?: true;
}

/** More connections from one process run into its limit of open files. */
const CLIENTS_MAX = 10_000;

/** Connections that are made at the same time. */
const CONNECTING_MAX = 100;

/** How long messages that were sent in time may take to be acknowledged. */
const DRAIN_MS = 10_000;

const EXAMPLES = `
Examples:
  sluice-sim load --clients 100 --rate 10000 --payload-bytes 256 --qos 1 --duration 10
  sluice-sim load --clients 4 --rate 0 --window 1000 --duration 5 --json     as fast as acknowledgements allow
  sluice-sim load --clients 1000 --rate 0 --window 1                         each waits for its acknowledgement`;

/** `sluice-sim load`: many clients, a rate, a payload size. */
export function loadCommand(host: Host): Command {
  const whole = (min: number, max: number) => numberOption({ min, max, whole: true });
  return new Command("load")
    .description("Publish from many clients at a rate and measure what is acknowledged, and how soon.")
    .option("--broker <url>", "where to publish", "mqtt://127.0.0.1:1883")
    .option("--clients <n>", "MQTT connections", whole(1, CLIENTS_MAX), 10)
    .option(
      "--rate <n>",
      "messages a second over all clients; 0: as fast as windows allow",
      numberOption({ min: 0, max: 1e7 }),
      1_000,
    )
    .option("--payload-bytes <n>", "size of each message, JSON", whole(PAYLOAD_BYTES_MIN, 1_048_576), 256)
    .option("--qos <0|1>", "MQTT quality of service", qosOption, 1)
    .option("--duration <s>", "how long messages are sent", numberOption({ min: 0.1, max: 86_400 }), 10)
    .option("--window <n>", "most messages of a client without an acknowledgement", whole(1, 32_768), 1_000)
    .option("--topic <topic>", "where each client publishes", "load/{client}/telemetry")
    .option("--client-prefix <text>", "the clients' ids begin with it", "load-")
    .option("--seed <n>", "the same seed gives the same values", whole(0, 0xffff_ffff), 1)
    .option("--json", "print JSON")
    .addHelpText("after", EXAMPLES)
    .action((options: LoadCliOptions) => load(host, options));
}

function qosOption(text: string): 0 | 1 {
  if (text === "0") return 0;
  if (text === "1") return 1;
  throw new InvalidArgumentError("It must be 0 or 1.");
}

async function load(host: Host, options: LoadCliOptions): Promise<void> {
  const random = seededRandom(options.seed);
  const name = (client: number): string => `${options.clientPrefix}${client + 1}`;
  const publishers = Array.from(
    { length: options.clients },
    (_, client) =>
      new Publisher({
        broker: options.broker,
        clientId: name(client),
        qos: options.qos,
        window: options.window,
        clock: systemClock,
        random,
      }),
  );
  try {
    await connect(publishers, host.interrupted);
    const result = await runLoad({
      clients: publishers,
      rate: options.rate,
      durationMs: options.duration * 1_000,
      drainMs: DRAIN_MS,
      topic: (client) => options.topic.replaceAll("{client}", name(client)),
      payloads: new PayloadMaker(options.payloadBytes, random),
      clock: systemClock,
      signal: host.interrupted,
    });
    host.print(options.json === true ? JSON.stringify(result) : table(result));
    if (result.unacknowledged + result.overloaded > 0)
      throw new PipelineError(
        "load.unacknowledged",
        `${result.unacknowledged} messages were not acknowledged within ${DRAIN_MS / 1_000} s of the end, ` +
          `${result.overloaded} could not be taken`,
        { hint: "The rate is more than the broker bears." },
      );
  } finally {
    await Promise.all(publishers.map((publisher) => publisher.stop()));
  }
}

async function connect(publishers: readonly Publisher[], signal: AbortSignal): Promise<void> {
  for (let from = 0; from < publishers.length && !signal.aborted; from += CONNECTING_MAX)
    await Promise.all(publishers.slice(from, from + CONNECTING_MAX).map((publisher) => publisher.start()));
}

/** The result as a table for a person. */
export function table(result: LoadResult): string {
  const { latencyMs } = result;
  const rows: readonly (readonly [string, string])[] = [
    ["clients", String(result.clients)],
    ["sent", String(result.sent)],
    ["acknowledged", String(result.acknowledged)],
    ["messages/s", String(result.perSecond)],
    ["latency p50", `${latencyMs.p50.toFixed(2)} ms`],
    ["latency p95", `${latencyMs.p95.toFixed(2)} ms`],
    ["latency p99", `${latencyMs.p99.toFixed(2)} ms`],
    ["latency max", `${latencyMs.max.toFixed(2)} ms`],
    ["sent again", String(result.resent)],
    ["reconnects", String(result.reconnects)],
    ["lost (QoS 0)", String(result.lost)],
    ["could not be taken", String(result.overloaded)],
    ["not acknowledged", String(result.unacknowledged)],
  ];
  const width = Math.max(...rows.map(([, value]) => value.length));
  return rows.map(([label, value]) => `${label.padEnd(20)}${value.padStart(width)}`).join("\n");
}
