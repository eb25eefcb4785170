import { alertTopic, predictionTopic } from "@sluice/shared/contract/topic.ts";
import { connect, type MqttClient } from "mqtt";
import type { AlertView, CloudView, GatewayView, Observation, PumpView } from "./observation.ts";

/** Alerts that are remembered: the story needs the newest few. */
const ALERTS_MAX = 50;

const STATUS_TIMEOUT_MS = 2_000;

/** Looks at the running programs as any user could: their status over HTTP, predictions and alerts over MQTT. */
export class Watch {
  readonly #gatewayUrl: string;
  readonly #cloudUrl: string;
  readonly #mqtt: MqttClient;
  readonly #pumps = new Map<string, PumpView>();
  #alerts: AlertView[] = [];

  constructor(ports: { readonly mqtt: number; readonly gatewayStatus: number; readonly cloud: number }) {
    this.#gatewayUrl = `http://127.0.0.1:${ports.gatewayStatus}/status`;
    this.#cloudUrl = `http://127.0.0.1:${ports.cloud}/status`;
    this.#mqtt = connect(`mqtt://127.0.0.1:${ports.mqtt}`, { clientId: "sluice-demo", reconnectPeriod: 500 });
    this.#mqtt.on("connect", () =>
      this.#mqtt.subscribe([predictionTopic("+", "+"), alertTopic("+", "+")], { qos: 1 }),
    );
    this.#mqtt.on("error", () => undefined); // It reconnects by itself; the view shows that nothing comes.
    this.#mqtt.on("message", (topic, payload) => this.#receive(topic, parse(payload.toString())));
  }

  async observe(): Promise<Observation> {
    const [gateway, cloud] = await Promise.all([fetchJson(this.#gatewayUrl), fetchJson(this.#cloudUrl)]);
    return {
      gateway: gateway === undefined ? undefined : gatewayView(gateway),
      cloud: cloud === undefined ? undefined : cloudView(cloud),
      pumps: [...this.#pumps.values()].sort((a, b) => (a.device < b.device ? -1 : 1)),
      alerts: this.#alerts,
    };
  }

  /** Publishes as an operator's panel would; resolves when it is acknowledged. */
  async publish(topic: string, message: object): Promise<void> {
    await this.#mqtt.publishAsync(topic, JSON.stringify(message), { qos: 1 });
  }

  async stop(): Promise<void> {
    await this.#mqtt.endAsync(true);
  }

  #receive(topic: string, message: Tree): void {
    const device = text(message, "device") ?? "";
    if (topic.includes("/alerts/")) {
      const alert = {
        device,
        state: text(message, "state") ?? "",
        text: text(message, "text") ?? "",
        windowEnd: text(message, "windowEnd") ?? "",
      };
      this.#alerts = [...this.#alerts, alert].slice(-ALERTS_MAX);
      return;
    }
    const [score, threshold, version] = ["score", "threshold", "version"].map((name) =>
      number(message, name),
    );
    if (score !== undefined && threshold !== undefined && version !== undefined)
      this.#pumps.set(device, { device, score, threshold, version });
  }
}

/** JSON from outside, read field by field. */
type Tree = unknown;

function at(tree: Tree, path: string): Tree {
  let value = tree;
  for (const key of path.split("."))
    value = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  return value;
}

function number(tree: Tree, path: string): number | undefined {
  const value = at(tree, path);
  return typeof value === "number" ? value : undefined;
}

function text(tree: Tree, path: string): string | undefined {
  const value = at(tree, path);
  return typeof value === "string" ? value : undefined;
}

function list(tree: Tree, path: string): readonly Tree[] {
  const value = at(tree, path);
  return Array.isArray(value) ? value : [];
}

function parse(json: string): Tree {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

async function fetchJson(url: string): Promise<Tree> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
    return response.ok ? await response.json() : undefined;
  } catch {
    return undefined; // Not up yet, or gone: the view says so.
  }
}

function gatewayView(status: Tree): GatewayView {
  const ingest = list(status, "ingest");
  const features = Object.entries(at(status, "features.counters") ?? {});
  const sum = (ending: string): number =>
    features.reduce(
      (total, [name, value]) => total + (name.endsWith(ending) && typeof value === "number" ? value : 0),
      0,
    );
  return {
    readings: number(status, "counters.readings") ?? 0,
    readingsPerS: number(status, "rates.readingsPerS") ?? 0,
    acknowledged: ingest.reduce<number>((total, source) => total + (number(source, "acknowledged") ?? 0), 0),
    vectors: sum(".vectors"),
    late: sum(".late"),
    predictions: number(status, "counters.predictions") ?? 0,
    raisedAlerts: number(status, "inference.raisedAlerts") ?? 0,
    quarantined: number(status, "counters.quarantined") ?? 0,
    batchesDelivered: number(status, "sync.delivered.batches") ?? 0,
    rowsDelivered: number(status, "sync.delivered.rows") ?? 0,
    bytesWaiting: number(status, "buffer.outbox.bytes") ?? 0,
    model: text(status, "inference.slot.model.model"),
    version: number(status, "inference.slot.model.version"),
    problems: list(status, "problems").map(String),
  };
}

function cloudView(status: Tree): CloudView {
  const model = list(status, "models")[0];
  return {
    tables: list(status, "tables").map((table) => ({
      name: text(table, "name") ?? "",
      version: number(table, "version") ?? -1,
      rows: number(table, "rows") ?? 0,
    })),
    champion: number(model, "champion"),
    activity: text(model, "activity") ?? "starting",
    progress: number(model, "progress"),
    attempts: list(model, "attempts").map((attempt) => ({
      attempt: number(attempt, "attempt") ?? 0,
      trigger: text(attempt, "trigger") ?? "",
      decision: text(attempt, "decision") ?? "",
      version: number(attempt, "version"),
      reasons: list(attempt, "reasons").map(String),
      table: text(attempt, "table") ?? "",
    })),
    problems: list(status, "problems").map(String),
  };
}
