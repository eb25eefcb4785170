import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Publisher, type PublisherOptions } from "@sluice/simulators/fleet/publisher.ts";
import { generateKeyPair } from "@sluice/shared/codec/signature.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import type { RunningObjectStore } from "@sluice/simulators/object-store/start.ts";
import { onTestFinished } from "vitest";
import { type Outcome, run, RunningCloud, RunningGateway } from "./programs.ts";

export type Section = Readonly<Record<string, unknown>>;

/** What a test wants to have otherwise than `defaultSettings`, by section. */
export type Change = Readonly<Record<string, Section>>;

export const GATEWAY = "e2e";

/** One pump view with windows of a second, so that a few thousand readings close many. */
export const SECONDS_VIEW = {
  name: "seconds",
  owner: "e2e",
  match: { deviceType: "pump" },
  window: { kind: "tumbling", sizeMs: 1_000, allowedLatenessMs: 0, correctionMs: 10_000 },
  inputs: { n: { metric: "n" } },
  features: [
    { name: "n_mean", fn: "mean", of: "n" },
    { name: "n_max", fn: "max", of: "n" },
  ],
};

function defaultSettings(): Readonly<Record<string, Section>> {
  return {
    ingest: { broker: { port: 0 } },
    buffer: { dir: "buffer" },
    decode: {
      routes: [
        {
          topic: "plant/{device}/telemetry",
          deviceType: "pump",
          payload: { format: "json", time: { path: "ts", unit: "ms" } },
        },
        { topic: "plant/{device}/values/{metric}", deviceType: "pump", payload: { format: "number" } },
      ],
    },
    features: { views: [SECONDS_VIEW] },
    models: { publicKeys: ["signing.pub"], pollIntervalMs: 100, reportIntervalMs: 200, backoffMaxMs: 1_000 },
    sync: { batchAgeMs: 200, pollMs: 50, retryBaseMs: 50, retryMaxMs: 500 },
    lake: { kind: "folder", path: "lake" },
    status: { port: 0 },
  };
}

/** How an object store of the simulators is named in settings; it is asked again soon, so that tests are short. */
export const s3Lake = ({ endpoint, bucket, accessKeyId, secretAccessKey }: RunningObjectStore): Section => ({
  kind: "s3",
  endpoint,
  bucket,
  accessKeyId,
  secretAccessKey,
  attemptsMax: 2,
  retryBaseMs: 10,
  retryMaxMs: 50,
});

/** A folder with settings and keys for one gateway and one cloud on one lake; gone when its test ends. */
export class Site {
  readonly dir: string;
  readonly keys = generateKeyPair();
  readonly gatewayFile: string;
  readonly cloudFile: string;
  #gateway: Readonly<Record<string, Section>>;

  private constructor(dir: string, change: Change) {
    this.dir = dir;
    this.gatewayFile = join(dir, "gateway.yaml");
    this.cloudFile = join(dir, "cloud.yaml");
    const sections = Object.entries(change).map(([name, section]) => [
      name,
      name === "lake" ? section : { ...defaultSettings()[name], ...section },
    ]);
    this.#gateway = { ...defaultSettings(), ...Object.fromEntries(sections) };
  }

  static async make(change: Change = {}): Promise<Site> {
    const site = new Site(await mkdtemp(join(tmpdir(), "sluice-e2e-")), change);
    onTestFinished(() => rm(site.dir, { recursive: true, force: true }));
    await site.write("signing.pub", site.keys.publicKeyPem);
    await site.write("signing.key", site.keys.privateKeyPem);
    await site.#writeGateway();
    await site.cloudVariant("cloud.yaml", {});
    return site;
  }

  /** Writes a file into the folder; returns its path. */
  async write(name: string, text: string): Promise<string> {
    const path = join(this.dir, name);
    await writeFile(path, text);
    return path;
  }

  /** Starts the gateway. From the first start on it keeps its ports, so that publishers find it again. */
  async startGateway(): Promise<RunningGateway> {
    const gateway = await RunningGateway.start(this.gatewayFile);
    const [mqttPort, statusPort] = [gateway.mqtt, gateway.status].map((address) =>
      Number(address.split(":")[1]),
    );
    this.#gateway = {
      ...this.#gateway,
      ingest: { ...this.#gateway["ingest"], broker: { port: mqttPort } },
      status: { port: statusPort },
    };
    await this.#writeGateway();
    return gateway;
  }

  /** Changes the settings that the gateway has from its next start on. */
  async change(change: Change): Promise<void> {
    this.#gateway = { ...this.#gateway, ...change };
    await this.#writeGateway();
  }

  /** The gateway's settings with some of them otherwise; returns the path of the file. */
  async gatewayVariant(name: string, change: Change): Promise<string> {
    return this.write(name, JSON.stringify({ gateway: GATEWAY, ...this.#gateway, ...change }));
  }

  /** The cloud's settings with some of them otherwise; returns the path of the file. */
  async cloudVariant(name: string, change: Section): Promise<string> {
    const settings = {
      lake: this.#gateway["lake"],
      tables: { cacheDir: "cache", commitIntervalMs: 200, leaseMs: 5_000 },
      models: [{ name: "seconds", view: SECONDS_VIEW, triggers: { firstRows: 1_000_000, newLabels: 0 } }],
      keys: { privateKey: "signing.key", publicKeys: ["signing.pub"] },
      status: { port: 0 },
    };
    return this.write(name, JSON.stringify({ ...settings, ...change }));
  }

  startCloud(): Promise<RunningCloud> {
    return RunningCloud.start(this.cloudFile);
  }

  /** Runs a command of the cloud. Throws with what it printed where it fails. */
  async cloud(command: string, ...args: readonly string[]): Promise<Outcome> {
    const outcome = await run("cloud", ...command.split(" "), "--config", this.cloudFile, ...args);
    if (outcome.code === 0) return outcome;
    throw new Error(`sluice-cloud ${command} ended with ${outcome.code}: ${outcome.stderr}`);
  }

  /** Commits what has landed and asks the tables. */
  async commitAndAsk(query: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    await this.cloud("commit --wait");
    return this.ask(query);
  }

  async ask(query: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return JSON.parse((await this.cloud("sql", query, "--format", "json")).stdout);
  }

  /** Recomputes the features in the lake. Throws where one is not the same. */
  async verifyFeatures(): Promise<readonly Verified[]> {
    return JSON.parse((await this.cloud("features verify", "--json")).stdout);
  }

  async #writeGateway(): Promise<void> {
    await this.write("gateway.yaml", JSON.stringify({ gateway: GATEWAY, ...this.#gateway }));
  }
}

/** What sluice-cloud features verify says of one view. */
export interface Verified {
  readonly vectors: number;
  readonly equal: number;
}

/** A connected publisher that remembers every acknowledgement and comes back after a cut; gone when its test ends. */
export async function connectPublisher(
  gateway: RunningGateway,
  options: Partial<PublisherOptions> = {},
): Promise<Publisher> {
  const publisher = new Publisher({
    broker: gateway.url,
    clientId: "fleet",
    clock: systemClock,
    random: seededRandom(7),
    window: 500,
    ...options,
  });
  onTestFinished(() => publisher.stop());
  await publisher.start();
  return publisher;
}

/** Publishes in order, never more than the window allows; resolves when all are acknowledged. */
export async function publishAll(
  publisher: Publisher,
  messages: Iterable<readonly [topic: string, payload: string]>,
): Promise<void> {
  for (const [topic, payload] of messages) {
    await publisher.room();
    // What becomes of it shows in the drain: a publish that is refused is never acknowledged.
    publisher.publish(topic, payload).catch(() => undefined);
  }
  const open = await publisher.drain(30_000);
  if (open > 0) throw new Error(`${open} publishes were not acknowledged`);
}

/** Readings number `from` to before `to` of one pump; each a hundredth of a second of event time after the one before. */
export function* numbered(from: number, to: number, startMs: number): Generator<readonly [string, string]> {
  for (let n = from; n < to; n++)
    yield ["plant/pump-1/telemetry", JSON.stringify({ ts: startMs + n * 10, n })];
}

/** The question that shows lost and doubled readings of `numbered`. */
export const COUNT_NUMBERED =
  "select count(*) as rows, count(distinct value) as numbers, sum(value)::bigint as total from readings where metric = 'n'";

/** The answer to COUNT_NUMBERED when the readings 0 to before `count` are there once each. */
export const countedOnce = (count: number): Readonly<Record<string, number>> => ({
  rows: count,
  numbers: count,
  total: (count * (count - 1)) / 2,
});
