import { parseIsoUs, systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { Command } from "commander";
import type { Lake } from "../lake/lake.ts";
import { type Progress, ProgressLine } from "./progress.ts";

/** What the commands need of the program that they are part of. */
export interface FeaturesHost {
  print(text: string): void;
  showProgress(text: string): void;
  /** The answer is no: ends with exit code 1. */
  answerIsNo(): void;
  /** Opens the lake for one command and closes it whatever happens. */
  withLake(config: string, work: (opened: OpenedStore) => Promise<void>): Promise<void>;
}

export interface OpenedStore {
  readonly store: ObjectStore;
  readonly lake: Lake;
}

export interface Common {
  readonly config: string;
  readonly json?: true;
}

/** Makes one of the commands, by its name, what it does and an example. */
export type MakeCommand = (name: string, description: string, example: string) => Command;

export const toJson = (value: unknown): string => JSON.stringify(value, undefined, 2);

/** Shows what is being done until it is done. */
export async function showing<T>(host: FeaturesHost, work: (progress: Progress) => Promise<T>): Promise<T> {
  const line = new ProgressLine((text) => host.showProgress(text), systemClock);
  try {
    return await work(line.tell);
  } finally {
    line.done();
  }
}

/** The format that the name of a file says. Throws PipelineError "config.format". */
export function formatOf<F extends string>(option: string, path: string, formats: readonly F[]): F {
  const format = formats.find((known) => path.toLowerCase().endsWith(`.${known}`));
  if (format !== undefined) return format;
  throw new PipelineError("config.format", `${option} ${path}: the name does not say a format`, {
    hint: `It must end in ${formats.map((known) => `.${known}`).join(", ")}.`,
  });
}

/** Microseconds since the epoch of what somebody wrote. Throws PipelineError "config.time". */
export function timeOf(option: string, text: string): number {
  const us = parseIsoUs(text);
  if (Number.isSafeInteger(us)) return us;
  throw new PipelineError("config.time", `${option} ${text} is not a time`, {
    hint: "Use ISO 8601, such as 2026-11-21T06:00:00Z.",
  });
}
