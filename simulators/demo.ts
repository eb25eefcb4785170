import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { LABEL_TOPIC } from "@sluice/shared/contract/topic.ts";
import { type Clock, isoTime } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Observation } from "./demo/observation.ts";
import { choosePort } from "./demo/ports.ts";
import { Program, runToEnd } from "./demo/program.ts";
import { type DemoPlaces, writeSettings } from "./demo/settings-files.ts";
import {
  type Action,
  dueAction,
  FAILING_PUMP,
  freshStory,
  parseStory,
  reachedSteps,
  STEPS,
  type StoryState,
  type Told,
} from "./demo/story.ts";
import { renderFrame } from "./demo/view.ts";
import { Watch } from "./demo/watch.ts";

export interface DemoOptions {
  /** Everything that the demo writes; starting again with the same folder goes on where it stopped. */
  readonly dir: string;
  readonly seed: number;
  /** Stop when the loop is closed, or at the deadline. */
  readonly until: "loop-closed" | "stopped";
  readonly timeoutS: number;
  readonly json: boolean;
  /** The lake's settings, as in gateway.yaml; undefined: a folder below `dir`. */
  readonly lake: object | undefined;
}

export interface DemoWorld {
  readonly clock: Clock;
  /** The Node that runs the programs. */
  readonly execPath: string;
  /** Aborts when the user wants to stop. */
  readonly signal: AbortSignal;
  readonly terminal: {
    /** Undefined where the output is not a terminal: then only news is printed, a line each. */
    readonly widthChars: number | undefined;
    readonly heightRows: number | undefined;
    write(text: string): void;
  };
}

export interface DemoResult {
  readonly closed: boolean;
  readonly elapsedS: number;
  readonly steps: readonly { readonly step: string; readonly atS: number | undefined }[];
  /** The step that did not come, in words; undefined when the loop is closed. */
  readonly missing: string | undefined;
  /** How a program ended that nobody had stopped. */
  readonly failure: string | undefined;
  readonly verdict: string | undefined;
}

const DEFAULT_PORTS = { mqtt: 1_883, gatewayStatus: 9_464, cloud: 8_080 };
const TICK_MS = 500;

/** How long the gateway may take to acknowledge what the demo publishes; then it is tried again at the next look. */
const PUBLISH_WAIT_MS = 5_000;

/** How fast the bearing goes from sound to failing. */
const WEAR_S = 12;

const CONTROL_TOPIC = "plant/control";

/** What is said when it was done. */
const ACTION_TEXTS: Readonly<Record<Action, string>> = {
  break: `A bearing of ${FAILING_PUMP} has begun to fail.`,
  repair: `${FAILING_PUMP} has been repaired; the alert is cleared when it has run well for a while.`,
  label: "The operator has labelled the time as bearing_fault.",
};

const programPath = (name: string): string => fileURLToPath(new URL(`../${name}/main.ts`, import.meta.url));

/** The whole loop on one machine: a plant, a gateway and the cloud as three processes, and a view of them. */
export async function runDemo(options: DemoOptions, world: DemoWorld): Promise<DemoResult> {
  const demo = new Demo(options, world);
  try {
    await demo.start();
    return await demo.watch();
  } finally {
    await demo.stop();
  }
}

class Demo {
  readonly #options: DemoOptions;
  readonly #world: DemoWorld;
  readonly #startedAtUs: number;
  readonly #reachedAtS = new Map<string, number>();
  #programs: Program[] = [];
  #watch: Watch | undefined;
  #places: readonly string[] = [];
  #story: StoryState = freshStory;
  #told: Told | undefined;
  #note = "";
  #failure: string | undefined;

  constructor(options: DemoOptions, world: DemoWorld) {
    this.#options = options;
    this.#world = world;
    this.#startedAtUs = world.clock.monotonicUs();
  }

  async start(): Promise<void> {
    const { dir, seed, lake } = this.#options;
    await mkdir(dir, { recursive: true });
    this.#story = await this.#readStory();
    const [mqtt, gatewayStatus, cloud] = await Promise.all(Object.values(DEFAULT_PORTS).map(choosePort));
    if (mqtt === undefined || gatewayStatus === undefined || cloud === undefined) return;
    const places = {
      dir,
      lake,
      mqttPort: mqtt.port,
      gatewayStatusPort: gatewayStatus.port,
      cloudPort: cloud.port,
    };
    const taken = (isOther: boolean): string => (isOther ? " (the usual port is taken)" : "");
    this.#places = [
      `MQTT            127.0.0.1:${mqtt.port}${taken(mqtt.isOther)}`,
      `gateway status  http://127.0.0.1:${gatewayStatus.port}/status${taken(gatewayStatus.isOther)}`,
      `cloud's page    http://127.0.0.1:${cloud.port}${taken(cloud.isOther)}`,
      `everything in   ${dir}`,
    ];
    await writeSettings(places);
    await this.#makeKeys();
    this.#news({ event: "places", places: this.#places });
    this.#run("cloud", [programPath("cloud"), "run", "--config", join(dir, "cloud.yaml")]);
    this.#run("gateway", [programPath("edge"), "run", "--config", join(dir, "gateway.yaml")]);
    this.#watch = new Watch({ mqtt: mqtt.port, gatewayStatus: gatewayStatus.port, cloud: cloud.port });
    this.#run("plant", [programPath("simulators"), "plant", ...plantArguments(places, seed)]);
  }

  /** Follows the story to its end, the deadline, or the user's wish. */
  async watch(): Promise<DemoResult> {
    const { until, timeoutS } = this.#options;
    const { clock, signal } = this.#world;
    for (;;) {
      const seen = await this.#observe();
      await this.#goOn(seen);
      this.#show(seen);
      const closed = this.#story.done.length === STEPS.length;
      const over = this.#elapsedS() >= timeoutS && until === "loop-closed";
      if (this.#failure !== undefined || signal.aborted || over || (closed && until === "loop-closed")) {
        this.#note = "Stopping: what was measured is still stored, what was stored still lands.";
        this.#show(seen);
        return this.#result(seen, closed);
      }
      await clock.sleep(TICK_MS, signal);
    }
  }

  /** Stops from the plant to the cloud, so that what is measured is still stored and what is stored still lands. */
  async stop(): Promise<void> {
    await this.#watch?.stop();
    for (const program of this.#programs.toReversed()) await program.stop();
    this.#programs = [];
  }

  #elapsedS(): number {
    return (this.#world.clock.monotonicUs() - this.#startedAtUs) / 1_000_000;
  }

  #run(name: string, args: readonly string[]): void {
    this.#programs.push(
      new Program({
        name,
        execPath: this.#world.execPath,
        args,
        logFile: join(this.#options.dir, "logs", `${name}.log`),
        clock: this.#world.clock,
        ended: (how) => {
          this.#failure ??= `the ${name} ended by itself: ${how}`;
        },
      }),
    );
  }

  async #makeKeys(): Promise<void> {
    const dir = join(this.#options.dir, "keys");
    if (await isThere(join(dir, "signing.pub"))) return;
    await runToEnd(this.#world.execPath, [programPath("cloud"), "keys", "--out", dir]);
  }

  async #observe(): Promise<Observation> {
    const none = { gateway: undefined, cloud: undefined, pumps: [], alerts: [] };
    return (await this.#watch?.observe()) ?? none;
  }

  /** Marks the steps that were reached and does to the world what is due. */
  async #goOn(seen: Observation): Promise<void> {
    const done = reachedSteps(this.#story, seen);
    for (const id of done.slice(this.#story.done.length)) {
      this.#reachedAtS.set(id, this.#elapsedS());
      this.#news({ event: "step", step: id, atS: Math.round(this.#elapsedS()), text: stepText(id) });
    }
    const nowUs = this.#world.clock.nowUs();
    if (done.length > this.#story.done.length) {
      const alertAtUs = this.#story.alertAtUs ?? (done.includes("alert") ? nowUs : undefined);
      await this.#remember({ ...this.#story, done, alertAtUs });
    }
    const action = dueAction(this.#story, seen, { nowUs, told: this.#told });
    if (action === undefined || !(await this.#do(action))) return;
    this.#told = { action, atUs: nowUs };
    if (action === "break")
      await this.#remember({ ...this.#story, brokenAtUs: this.#story.brokenAtUs ?? nowUs });
    if (action === "repair")
      await this.#remember({ ...this.#story, repairedAtUs: this.#story.repairedAtUs ?? nowUs });
    this.#say(ACTION_TEXTS[action]);
  }

  /** Returns whether the gateway has acknowledged it. Everything may be done twice: the second time changes nothing. */
  #do(action: Action): Promise<boolean> {
    if (action === "break")
      return this.#publish(CONTROL_TOPIC, {
        command: "break",
        device: FAILING_PUMP,
        fault: "bearing",
        overS: WEAR_S,
      });
    if (action === "repair") return this.#publish(CONTROL_TOPIC, { command: "repair", device: FAILING_PUMP });
    const { brokenAtUs, repairedAtUs } = this.#story;
    return this.#publish(LABEL_TOPIC, {
      device: FAILING_PUMP,
      from: isoTime(brokenAtUs ?? 0),
      to: isoTime(repairedAtUs ?? 0),
      label: "bearing_fault",
      author: "operator",
      note: "bearing replaced",
    });
  }

  /** A gateway that is away holds up neither the view nor a stop: false when it does not acknowledge in time. */
  async #publish(topic: string, message: object): Promise<boolean> {
    const { clock, signal } = this.#world;
    const acknowledged = this.#watch?.publish(topic, message).then(
      () => true,
      () => false,
    );
    const timer = new AbortController();
    const outcome = await Promise.race([
      acknowledged ?? false,
      clock.sleep(PUBLISH_WAIT_MS, AbortSignal.any([signal, timer.signal])).then(() => false),
    ]);
    timer.abort();
    return outcome;
  }

  #say(text: string): void {
    this.#note = text;
    this.#news({ event: "note", text });
  }

  /** One line of news where there is no terminal to paint on, or a machine listens. */
  #news(news: { readonly event: string; readonly [key: string]: unknown }): void {
    const { terminal } = this.#world;
    if (this.#options.json) terminal.write(`${JSON.stringify(news)}\n`);
    else if (terminal.widthChars === undefined) terminal.write(`${plainNews(news, this.#elapsedS())}\n`);
  }

  #show(seen: Observation): void {
    const { terminal } = this.#world;
    if (this.#options.json || terminal.widthChars === undefined) return;
    const lines = renderFrame({
      state: this.#story,
      seen,
      elapsedS: this.#elapsedS(),
      places: this.#places,
      note: this.#note,
      widthChars: terminal.widthChars,
      heightRows: terminal.heightRows ?? 24,
    });
    // Home, each line cleared to its end, then everything below: no flicker, no scrolling.
    terminal.write(`\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join("")}\u001b[J`);
  }

  #result(seen: Observation, closed: boolean): DemoResult {
    const next = STEPS[this.#story.done.length];
    const verdict = seen.cloud?.attempts[0];
    return {
      closed,
      elapsedS: Math.round(this.#elapsedS()),
      steps: STEPS.map(({ id }) => ({ step: id, atS: round(this.#reachedAtS.get(id)) })),
      missing: closed ? undefined : next?.text,
      failure: this.#failure,
      verdict:
        verdict === undefined
          ? undefined
          : `${verdict.decision}: ${verdict.reasons.join(" ")}\n${verdict.table}`,
    };
  }

  #storyPath(): string {
    return join(this.#options.dir, "story.json");
  }

  async #readStory(): Promise<StoryState> {
    try {
      return parseStory(await readFile(this.#storyPath(), "utf8"));
    } catch (cause) {
      if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return freshStory;
      throw new PipelineError("demo.story_damaged", `${this.#storyPath()} cannot be read`, {
        cause,
        hint: `Remove ${this.#options.dir} to begin anew.`,
      });
    }
  }

  async #remember(story: StoryState): Promise<void> {
    this.#story = story;
    await writeFile(`${this.#storyPath()}.new`, JSON.stringify(story));
    await rename(`${this.#storyPath()}.new`, this.#storyPath());
  }
}

function plantArguments({ dir, mqttPort }: DemoPlaces, seed: number): string[] {
  const broker = `mqtt://127.0.0.1:${mqttPort}`;
  return [
    "--broker",
    broker,
    "--pumps",
    "6",
    "--seed",
    String(seed),
    "--state",
    join(dir, "plant.json"),
    "--wait",
    "60",
  ];
}

const stepText = (id: string): string => STEPS.find((step) => step.id === id)?.text ?? id;

function plainNews(news: { readonly [key: string]: unknown }, elapsedS: number): string {
  if (Array.isArray(news["places"])) return news["places"].join("\n");
  const mark = news["event"] === "step" ? "✓ " : "  ";
  return `${elapsedS.toFixed(0).padStart(4)} s  ${mark}${String(news["text"])}`;
}

const round = (value: number | undefined): number | undefined =>
  value === undefined ? undefined : Math.round(value);

async function isThere(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}
