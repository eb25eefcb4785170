import type { Attempt } from "@sluice/shared/contract/attempt.ts";
import type { TriggerSettings } from "./config.ts";

/** What the lake holds for one model, as far as its triggers care. */
export interface TriggerInput {
  readonly nowUs: number;
  readonly champion: number | undefined;
  /** The newest attempt that this model has had. */
  readonly last: Attempt | undefined;
  /** Vectors of the model's view, and labels, that the lake holds now. */
  readonly rows: number;
  readonly labels: number;
}

/** Why a model is to be trained now; undefined when it is not. Pure. */
export function dueTrigger(settings: TriggerSettings, input: TriggerInput): Attempt["trigger"] | undefined {
  const { last } = input;
  if (last !== undefined && input.nowUs - last.endedAtUs < settings.cooldownMs * 1_000) return undefined;
  const newRows = input.rows - (last?.rows ?? 0);
  const newLabels = input.labels - (last?.labels ?? 0);
  if (input.champion === undefined) {
    if (input.rows < settings.firstRows) return undefined;
    // After a first model that was not good enough, try again only with a tenth more to learn from.
    return last === undefined || newLabels > 0 || newRows >= settings.firstRows / 10
      ? "first_model"
      : undefined;
  }
  if (settings.newLabels > 0 && newLabels >= settings.newLabels) return "new_labels";
  if (settings.newRows > 0 && newRows >= settings.newRows) return "new_data";
  return undefined;
}
