import type { NewEvent } from "@sluice/shared/contract/event.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { StateStore } from "./buffer/state-store.ts";
import { FeatureStage } from "./features/feature-stage.ts";
import { decodeCheckpoint, type PipelineCheckpoint } from "./pipeline-checkpoint.ts";

/** What a checkpoint says, as far as this program can read it. */
export interface Restored {
  /** Undefined where there is none, or nothing of it can be read. */
  readonly checkpoint:
    | (Omit<PipelineCheckpoint, "features"> & {
        readonly throughOffset: number;
        readonly features: FeatureStage;
      })
    | undefined;
  /** What could not be read, for the lake. */
  readonly lost: readonly NewEvent[];
}

/**
 * Reads the checkpoint. One that another version of the program wrote does not stop the gateway: what decoding remembers
 * is made anew from the messages that the log still holds, and views begin anew with the next message. Nothing of the
 * data is lost by that, but the windows that were open and the life that stateful features know; the vectors after it
 * have a later `sinceOffset`.
 */
export function readCheckpoint(state: Pick<StateStore, "checkpoint">, nowUs: number): Restored {
  const stored = state.checkpoint();
  if (stored === undefined) return { checkpoint: undefined, lost: [] };
  const { throughOffset } = stored;
  const lostEvent = (what: string, reason: string): NewEvent => ({
    kind: "checkpoint.lost",
    atUs: nowUs,
    count: 1,
    detail: `${what} cannot be restored from the checkpoint and begins anew: ${reason}`,
    facts: { what, throughOffset, reason },
  });
  try {
    const { features, ...others } = decodeCheckpoint(stored.bytes);
    const { stage, lost } = FeatureStage.restore(features);
    return {
      checkpoint: { ...others, throughOffset, features: stage },
      lost: lost.map(({ view, reason }) => lostEvent(`the view ${view}`, reason)),
    };
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== "buffer.checkpoint_unreadable") throw error;
    return { checkpoint: undefined, lost: [lostEvent("what the stages remember", error.message)] };
  }
}
