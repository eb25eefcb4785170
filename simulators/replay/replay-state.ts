import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { createHash } from "node:crypto";
import { Fields } from "../fields.ts";
import type { FileSurvey } from "./survey.ts";

/** How far a replay has come. */
export interface ReplayState {
  readonly formatVersion: 1;
  /** Of the map, the files and how they are aligned. */
  readonly fingerprint: string;
  /** Rows from the beginning that are acknowledged, without a gap. */
  readonly acknowledged: number;
  /** By how much event times are moved; the same for the whole replay. */
  readonly shiftUs: number;
}

/** What a state belongs to: another recording must not go on from it. */
export function fingerprintOf(mapText: string, surveys: readonly FileSurvey[], together: boolean): string {
  const hash = createHash("sha256").update(mapText).update(String(together));
  for (const { path, rows, fromUs, toUs } of surveys)
    hash.update(JSON.stringify([path.split(/[/\\]/).at(-1), rows, fromUs, toUs]));
  return hash.digest("hex");
}

/** Throws PipelineError "replay.state_refused" for what no replay wrote, or what another one did. */
export function parseReplayState(input: unknown, where: string, fingerprint: string): ReplayState {
  const fields = new Fields(input);
  fields.number("formatVersion", { min: 1, max: 1 });
  const state = {
    formatVersion: 1 as const,
    fingerprint: fields.text("fingerprint"),
    acknowledged: fields.number("acknowledged", { min: 0, whole: true }),
    shiftUs: fields.number("shiftUs"),
  };
  fields.end();
  if (fields.mistakes.length > 0)
    throw new PipelineError("replay.state_refused", `${where}: ${fields.mistakes.join("; ")}`);
  if (state.fingerprint !== fingerprint)
    throw new PipelineError("replay.state_refused", `${where} belongs to other files or another map`, {
      hint: "Give the same files and the same map to go on, or remove the file to begin afresh.",
    });
  return state;
}
