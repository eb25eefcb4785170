import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { givePort, Program, until } from "../programs.ts";
import type { Scenario } from "../scenario.ts";
import { Tap } from "../tap.ts";
import type { Trial, TrialResult } from "../trial.ts";

const QUIET_MS = 1_000;
const WORK_MS_MAX = 250;

/** mosquitto on a port of its own, with what it needs to keep a session over a restart. */
class Mosquitto {
  readonly #file: string;
  #program: Program | undefined;

  constructor(dir: string, port: number) {
    this.#file = join(dir, "mosquitto.conf");
    writeFileSync(
      this.#file,
      [
        `listener ${port} 127.0.0.1`,
        "allow_anonymous true",
        "max_inflight_messages 0",
        "max_queued_messages 0",
        "persistence true",
        `persistence_location ${dir}/`,
        "autosave_interval 1",
        "user root",
        "",
      ].join("\n"),
    );
  }

  start(): void {
    this.#program = new Program("mosquitto", ["-c", this.#file]);
  }

  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#program?.signal(signal);
    await this.#program?.ended;
  }
}

interface Setting {
  readonly qos: 1 | 2;
  /** Whether the broker dies too: then only what the gateway acknowledged to it counts. */
  readonly restarts: boolean;
}

async function withMosquitto(trial: Trial, { qos, restarts }: Setting): Promise<TrialResult> {
  const [port, tapPort] = [await givePort(), await givePort()];
  const protocolVersion = trial.random.int(2) === 0 ? 4 : 5;
  const client = {
    url: `mqtt://127.0.0.1:${tapPort}`,
    topics: ["plant/+/telemetry"],
    clientId: "sluice-crash",
    protocolVersion,
    reconnectBaseMs: 10,
    reconnectMaxMs: 100,
  };
  const site = await trial.prepare({
    qos,
    change: { ingest: { broker: undefined, client } },
    device: { broker: `127.0.0.1:${port}`, acknowledged: () => undefined },
  });
  const mosquitto = new Mosquitto(site.dir, port);
  const tapped = new Map(trial.devices.map(({ name }) => [name, new Set<number>()]));
  const tap = await Tap.open({
    port: tapPort,
    broker: port,
    protocolVersion,
    acknowledged: (device, n) => {
      tapped.get(device)?.add(n);
      trial.acknowledgement();
    },
  });
  try {
    mosquitto.start();
    await subscribe(trial);
    trial.publish();
    while (trial.kills < trial.wanted) await live(trial, mosquitto, restarts);
    const status = await trial.drain({
      settled: () =>
        until("the broker has delivered everything", () => tap.onItsWay === 0 && tap.quietMs > QUIET_MS),
    });
    if (restarts) for (const device of trial.devices) device.countOnly(tapped.get(device.name) ?? new Set());
    return await trial.result(status);
  } finally {
    await trial.close();
    await mosquitto.end("SIGKILL");
    await tap.close();
  }
}

/** Before its session is there, the broker keeps nothing for the gateway. */
async function subscribe(trial: Trial): Promise<void> {
  const gateway = trial.start();
  await gateway.firstLine();
  await until("the gateway is subscribed", async () => {
    const { ingest } = await trial.site.getStatus();
    return ingest[0]?.connections === 1 && ingest[0].problem === undefined;
  });
  await gateway.kill();
}

async function live(trial: Trial, mosquitto: Mosquitto, restarts: boolean): Promise<void> {
  const gateway = trial.start();
  await trial.working(gateway);
  await trial.sleep(WORK_MS_MAX);
  // The gateway alone, both at the same time, or the broker first: what was acknowledged to it is then half known.
  const how = restarts ? trial.random.int(3) : 0;
  if (how === 2) {
    await mosquitto.end(trial.random.int(2) === 0 ? "SIGKILL" : "SIGTERM");
    await trial.sleep(WORK_MS_MAX);
    mosquitto.start();
    await systemClock.sleep(trial.random.int(600));
  }
  await Promise.all([trial.kill(gateway), how === 1 ? mosquitto.end("SIGKILL") : undefined]);
  if (how === 1) mosquitto.start();
}

export const EXISTING_BROKER: readonly Scenario[] = [
  ...([1, 2] as const).map((qos): Scenario => ({
    name: `mosquitto, QoS ${qos}`,
    what: `A gateway that subscribes to mosquitto is killed at random instants; devices publish at QoS ${qos} and count mosquitto's acknowledgements.`,
    needs: ["mosquitto"],
    share: 5,
    trialKillsMax: 20,
    run: (trial) => withMosquitto(trial, { qos, restarts: false }),
  })),
  {
    name: "mosquitto killed too",
    what: "mosquitto is killed or restarted as well; what counts is what the gateway acknowledged to it, seen on the wire.",
    needs: ["mosquitto"],
    share: 5,
    trialKillsMax: 15,
    run: (trial) => withMosquitto(trial, { qos: 1, restarts: true }),
  },
];
