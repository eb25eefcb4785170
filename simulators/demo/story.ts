import type { Observation } from "./observation.ts";

/** The pump whose bearing fails. */
export const FAILING_PUMP = "pump-3";

/** What must happen for the loop to be closed, in this order. */
export const STEPS = [
  { id: "readings", text: "readings flow and are acknowledged after fsync" },
  { id: "windows", text: "windows close into feature vectors" },
  { id: "batches", text: "batches land in the lake" },
  { id: "tables", text: "tables commit" },
  { id: "model", text: "the first model is trained, evaluated and signed" },
  { id: "loaded", text: "the gateway loads it between two windows and scores" },
  { id: "alert", text: `a bearing of ${FAILING_PUMP} fails and the gateway raises an alert` },
  { id: "repaired", text: "the pump is repaired and the alert is cleared" },
  { id: "label", text: "the operator's label is in the lake" },
  { id: "verdict", text: "a retrained model is compared with the champion" },
] as const;

export type StepId = (typeof STEPS)[number]["id"];

/** What the story remembers over a restart. Times in microseconds since the epoch; undefined: not yet. */
export interface StoryState {
  readonly done: readonly StepId[];
  readonly brokenAtUs: number | undefined;
  readonly alertAtUs: number | undefined;
  readonly repairedAtUs: number | undefined;
}

export const freshStory: StoryState = {
  done: [],
  brokenAtUs: undefined,
  alertAtUs: undefined,
  repairedAtUs: undefined,
};

/** Reads what was remembered. Throws where it is not a story. */
export function parseStory(text: string): StoryState {
  const story: unknown = JSON.parse(text);
  if (typeof story !== "object" || story === null || !("done" in story) || !Array.isArray(story.done))
    throw new TypeError("no list of steps");
  const done = STEPS.slice(0, story.done.length).map(({ id }) => id);
  const time = (name: string): number | undefined => {
    const value: unknown = Reflect.get(story, name);
    return typeof value === "number" ? value : undefined;
  };
  return {
    done,
    brokenAtUs: time("brokenAtUs"),
    alertAtUs: time("alertAtUs"),
    repairedAtUs: time("repairedAtUs"),
  };
}

/** What the demo does to the world to go on with the story. */
export type Action = "break" | "repair" | "label";

/** What was done last since the demo was started, and when. */
export interface Told {
  readonly action: Action;
  readonly atUs: number;
}

/** Predictions that must have been made before the bearing fails, so that one sees what healthy looks like. */
const HEALTHY_PREDICTIONS_MIN = 60;

/** How long the pump runs on after the alert, so that the label covers a few windows. */
const FAULTY_AFTER_ALERT_US = 8_000_000;

/** When the plant is told again what has shown no effect: after a restart it may not have been listening yet. */
const TELL_AGAIN_US = 15_000_000;

/** The steps that have been reached by now, each only after the one before it. Pure. */
export function reachedSteps(state: StoryState, seen: Observation): readonly StepId[] {
  const done = [...state.done];
  for (const { id } of STEPS.slice(done.length)) {
    if (!isReached(id, state, seen)) break;
    done.push(id);
  }
  return done;
}

function isReached(step: StepId, state: StoryState, seen: Observation): boolean {
  const { gateway, cloud, alerts } = seen;
  const rows = (table: string): number => cloud?.tables.find(({ name }) => name === table)?.rows ?? 0;
  const alerted = (what: string, sinceUs: number | undefined): boolean =>
    sinceUs !== undefined &&
    alerts.some(
      ({ device, state: raised, windowEnd }) =>
        device === FAILING_PUMP && raised === what && Date.parse(windowEnd) * 1_000 > sinceUs,
    );
  switch (step) {
    case "readings":
      return (gateway?.readings ?? 0) > 0 && (gateway?.acknowledged ?? 0) > 0;
    case "windows":
      return (gateway?.vectors ?? 0) > 0;
    case "batches":
      return (gateway?.batchesDelivered ?? 0) > 0;
    case "tables":
      return rows("readings") > 0 && rows("features") > 0;
    case "model":
      return cloud?.champion !== undefined;
    case "loaded":
      return gateway?.version !== undefined && gateway.predictions > 0;
    case "alert":
      return (
        alerted("raised", state.brokenAtUs) || (state.brokenAtUs !== undefined && isInAlarm(seen) === true)
      );
    case "repaired":
      return (
        alerted("cleared", state.repairedAtUs) ||
        (state.repairedAtUs !== undefined && isInAlarm(seen) === false)
      );
    case "label":
      return rows("labels") > 0;
    case "verdict":
      return (
        cloud?.attempts.some(({ trigger, decision }) => trigger === "new_labels" && decision !== "failed") ===
        true
      );
  }
}

/** Whether the failing pump is in alarm now: its alert may have gone out while nobody watched. Undefined: not known. */
function isInAlarm({ gateway, pumps }: Observation): boolean | undefined {
  const pump = pumps.find(({ device }) => device === FAILING_PUMP);
  if (gateway === undefined || pump === undefined) return undefined;
  if (gateway.raisedAlerts === 0) return false;
  return pump.score >= pump.threshold ? true : undefined; // Else the alarm may be another pump's.
}

/** What is to be done now to go on; a command that shows no effect is due again. Pure. */
export function dueAction(
  state: StoryState,
  seen: Observation,
  { nowUs, told }: { readonly nowUs: number; readonly told: Told | undefined },
): Action | undefined {
  const isDueAgain = (action: Action): boolean =>
    told?.action !== action || nowUs - told.atUs >= TELL_AGAIN_US;
  const last = state.done.at(-1);
  if (last === "loaded" && state.brokenAtUs === undefined)
    return (seen.gateway?.predictions ?? 0) >= HEALTHY_PREDICTIONS_MIN ? "break" : undefined;
  if (last === "loaded") return isDueAgain("break") ? "break" : undefined;
  if (last === "alert" && state.repairedAtUs === undefined)
    return nowUs - (state.alertAtUs ?? 0) >= FAULTY_AFTER_ALERT_US ? "repair" : undefined;
  if (last === "alert") return isDueAgain("repair") ? "repair" : undefined;
  // Acknowledged is in the gateway's buffer: once is enough, and once more after a restart is harmless.
  if (last === "repaired") return told?.action === "label" ? undefined : "label";
  return undefined;
}
