import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";

/** Where the demo's programs meet. */
export interface DemoPlaces {
  readonly dir: string;
  readonly mqttPort: number;
  readonly gatewayStatusPort: number;
  readonly cloudPort: number;
  /** The lake's settings, as in gateway.yaml; undefined: a folder below `dir`. */
  readonly lake: object | undefined;
}

export const GATEWAY = "demo";
export const MODEL = "pump_health";

const METRICS: Readonly<Record<string, { unit: string; min: number; max: number; input: string }>> = {
  vibration_rms_g: { unit: "g", min: 0, max: 100, input: "vibration" },
  vibration_velocity_mm_s: { unit: "mm/s", min: 0, max: 500, input: "velocity" },
  vibration_envelope_g: { unit: "g", min: 0, max: 100, input: "envelope" },
  current_a: { unit: "A", min: 0, max: 500, input: "current" },
  pressure_bar: { unit: "bar", min: -1, max: 100, input: "pressure" },
  bearing_temp_c: { unit: "°C", min: -40, max: 200, input: "temperature" },
  flow_m3_h: { unit: "m³/h", min: 0, max: 1_000, input: "flow" },
  speed_rpm: { unit: "1/min", min: 0, max: 10_000, input: "speed" },
};

/** Short windows, so that a minute of healthy running is enough to learn from. */
const VIEW = {
  name: MODEL,
  owner: "demo",
  description: "How a pump runs, by its vibration, its load and its temperature.",
  match: { deviceType: "pump" },
  window: { kind: "hopping", sizeMs: 4_000, hopMs: 1_000, allowedLatenessMs: 500, correctionMs: 10_000 },
  inputs: Object.fromEntries(Object.entries(METRICS).map(([metric, { input }]) => [input, { metric }])),
  features: [
    { name: "vibration_mean", fn: "mean", of: "vibration", unit: "g" },
    { name: "vibration_max", fn: "max", of: "vibration", unit: "g" },
    { name: "velocity_mean", fn: "mean", of: "velocity", unit: "mm/s" },
    { name: "envelope_mean", fn: "mean", of: "envelope", unit: "g" },
    { name: "envelope_max", fn: "max", of: "envelope", unit: "g" },
    { name: "current_mean", fn: "mean", of: "current", unit: "A" },
    { name: "pressure_mean", fn: "mean", of: "pressure", unit: "bar" },
    { name: "flow_mean", fn: "mean", of: "flow", unit: "m³/h" },
    { name: "speed_mean", fn: "mean", of: "speed", unit: "1/min" },
  ],
};

/** Writes gateway.yaml and cloud.yaml: what a user would write, with this demo's ports and folders. */
export async function writeSettings(places: DemoPlaces): Promise<void> {
  await mkdir(join(places.dir, "logs"), { recursive: true });
  await writeFile(join(places.dir, "gateway.yaml"), stringify(gatewaySettings(places)));
  await writeFile(join(places.dir, "cloud.yaml"), stringify(cloudSettings(places)));
}

const FOLDER_LAKE = { kind: "folder", path: "lake" };

function gatewaySettings({ mqttPort, gatewayStatusPort, lake = FOLDER_LAKE }: DemoPlaces): object {
  return {
    gateway: GATEWAY,
    ingest: { broker: { port: mqttPort } },
    buffer: { dir: "gateway" },
    decode: {
      routes: [
        {
          topic: "plant/{device}/telemetry",
          deviceType: "pump",
          payload: { format: "json", time: { path: "ts", unit: "ms" } },
        },
      ],
      ignoredTopics: ["plant/control"],
      contracts: [
        {
          deviceType: "pump",
          metrics: Object.fromEntries(
            Object.entries(METRICS).map(([metric, { unit, min, max }]) => [metric, { unit, min, max }]),
          ),
        },
      ],
    },
    features: { views: [VIEW] },
    models: { publicKeys: ["keys/signing.pub"], pollIntervalMs: 1_000, reportIntervalMs: 5_000 },
    sync: { batchAgeMs: 2_000 },
    lake,
    status: { port: gatewayStatusPort },
  };
}

function cloudSettings({ cloudPort, lake = FOLDER_LAKE }: DemoPlaces): object {
  return {
    lake,
    tables: { cacheDir: "cache", commitIntervalMs: 1_000 },
    keys: { privateKey: "keys/signing.key", publicKeys: ["keys/signing.pub"] },
    models: [
      {
        name: MODEL,
        view: VIEW,
        triggers: { firstRows: 330, newLabels: 1, cooldownMs: 5_000 },
      },
    ],
    loopIntervalMs: 1_000,
    status: { port: cloudPort },
  };
}
