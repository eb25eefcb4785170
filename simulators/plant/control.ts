import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { Fields } from "../fields.ts";
import { FAULTS } from "./fault.ts";
import type { FaultKind } from "./fault.ts";
import { METRICS } from "./sensor.ts";

/** The MQTT topic that a plant takes commands on. */
export const CONTROL_TOPIC = "plant/control";

/** What a plant can be told. */
export type PlantCommand =
  | {
      readonly command: "break";
      readonly device: string;
      readonly fault: FaultKind;
      readonly overS: number;
      readonly metric: string | undefined;
    }
  | { readonly command: "repair"; readonly device: string };

const YEAR_S = 31_536_000;

/**
 * Reads a command: {"command":"break","device":"pump-3","fault":"bearing","overS":20} or
 * {"command":"repair","device":"pump-3"}. A fault of kind "sensor" may name its "metric".
 *
 * Throws PipelineError "plant.command_refused" that lists every mistake.
 */
export function parseCommand(payload: string, devices: readonly string[]): PlantCommand {
  let input: unknown;
  try {
    input = JSON.parse(payload);
  } catch (cause) {
    throw refused(`it is not JSON: ${payload.slice(0, 80)}`, cause);
  }
  const fields = new Fields(input);
  const command = fields.oneOf("command", ["break", "repair"]);
  const device = fields.oneOf("device", devices);
  const isBreak = fields.raw("command") === "break";
  const parsed = isBreak
    ? { command: "break" as const, device, ...breaking(fields) }
    : { command: "repair" as const, device };
  // An unknown command says nothing of which fields it may have.
  if (isBreak || command === "repair") fields.end();
  if (fields.mistakes.length > 0) throw refused(fields.mistakes.join("; "));
  return parsed;
}

function breaking(fields: Fields): { fault: FaultKind; overS: number; metric: string | undefined } {
  const fault = fields.oneOf("fault", FAULTS);
  const overS = fields.has("overS") ? fields.number("overS", { min: 0.001, max: YEAR_S }) : 20;
  const metric = fields.has("metric") ? fields.oneOf("metric", METRICS) : undefined;
  if (metric !== undefined && fault !== "sensor") fields.mistake("metric", "only a sensor fault names one");
  return { fault, overS, metric };
}

function refused(why: string, cause?: unknown): PipelineError {
  return new PipelineError("plant.command_refused", `the plant does not take this command: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Send for example {"command":"break","device":"pump-3","fault":"bearing","overS":20}.',
  });
}
