import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { Fields } from "../fields.ts";
import { FAULTS } from "./fault.ts";
import type { Fault } from "./fault.ts";
import type { PlantState } from "./plant.ts";
import { byMetric, METRICS } from "./sensor.ts";
import type { SensorState } from "./sensor.ts";

/** The largest plant that is simulated in one process. */
export const PUMPS_MAX = 1_000;

/**
 * Reads a plant's state as `Plant.state` gave it, through JSON.
 *
 * Throws PipelineError "plant.state_refused" that lists every mistake.
 */
export function parsePlantState(input: unknown, where: string): PlantState {
  const fields = new Fields(input);
  fields.number("formatVersion", { min: 1, max: 1 });
  const rubbish = fields.object("rubbish");
  const state = {
    formatVersion: 1 as const,
    seed: fields.number("seed", { whole: true }),
    steps: fields.number("steps", { min: 0, whole: true }),
    nowUs: fields.number("nowUs", { min: 0 }),
    pumps: fields.objects("pumps").map(parsePump),
    faults: fields.objects("faults").map(parseFault),
    rubbish: Object.fromEntries(rubbish.keys().map((kind) => [kind, rubbish.number(kind)])),
  };
  fields.end();
  if (state.pumps.length < 1 || state.pumps.length > PUMPS_MAX)
    fields.mistake("pumps", `must be 1 to ${PUMPS_MAX} pumps`);
  if (fields.mistakes.length === 0) return state;
  throw new PipelineError("plant.state_refused", `${where}: ${fields.mistakes.slice(0, 10).join("; ")}`, {
    hint: "Give a file that `sluice-sim plant --state` wrote, or remove it to begin afresh.",
  });
}

function parsePump(fields: Fields): PlantState["pumps"][number] {
  const state = fields.object("state");
  const sensors = fields.object("sensors");
  return {
    state: {
      speedRpm: state.number("speedRpm"),
      bearingTempC: state.number("bearingTempC"),
      fluidTempC: state.number("fluidTempC"),
      shaftTurns: state.number("shaftTurns"),
    },
    sensors: byMetric((metric) => parseSensor(sensors.object(metric))),
  };
}

function parseSensor(fields: Fields): SensorState {
  return {
    drift: fields.number("drift"),
    last: fields.has("last") ? fields.number("last") : undefined,
  };
}

function parseFault(fields: Fields): Fault {
  return {
    device: fields.text("device"),
    kind: fields.oneOf("kind", FAULTS),
    fromUs: fields.number("fromUs"),
    toUs: fields.has("toUs") ? fields.number("toUs") : undefined,
    overS: fields.number("overS", { min: 0 }),
    metric: fields.has("metric") ? fields.oneOf("metric", METRICS) : undefined,
  };
}
