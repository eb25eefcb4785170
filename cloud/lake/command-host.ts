import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { parseIsoUs, systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { Command } from "commander";
import type { Lake } from "./lake.ts";
import type { Lease } from "./lease.ts";
import type { LakeSettings } from "./settings.ts";

/** What the lake's commands need of the program that they are part of. */
export interface LakeHost {
  print(text: string): void;
  /** One line that is written over and over; empty: gone. */
  showProgress(text: string): void;
  /** The answer is no: ends with exit code 1. */
  answerIsNo(): void;
  /** Calls `handle` at the first Ctrl-C or SIGTERM; the second ends the program. */
  onSignal(handle: () => void): void;
  /** Opens the lake for one command and closes it whatever happens. */
  withLake(config: string, work: (opened: OpenedLake) => Promise<void>): Promise<void>;
}

export interface OpenedLake {
  readonly store: ObjectStore;
  readonly lake: Lake;
  readonly lease: Lease;
  readonly settings: LakeSettings;
  /** The views of the models that the settings train, by name: their owners are those of the features. */
  readonly views: readonly FeatureView[];
}

/** Options that all of them have. */
export interface LakeOptions {
  readonly config: string;
  readonly json?: true;
}

/** Makes a command with its settings file, by its name, what it does and an example. */
export type MakeLakeCommand = (name: string, description: string, example: string) => Command;

export const toJson = (value: unknown): string => JSON.stringify(value, undefined, 2);

/** Shows what is being done where it takes longer than this. */
const SHOWN_AFTER_US = 1_000_000;
const SHOWN_EVERY_US = 200_000;
const BAR_CELLS = 24;

/** Told what is being done, and the share of it that is done where that is known. */
export type Tell = (doing: string, share?: number) => void;

/** Runs work and shows what it does once it takes longer than a second. */
export async function showing<T>(
  host: Pick<LakeHost, "showProgress">,
  work: (tell: Tell) => Promise<T>,
): Promise<T> {
  const startedAtUs = systemClock.monotonicUs();
  let shownAtUs = startedAtUs + SHOWN_AFTER_US - SHOWN_EVERY_US;
  let isShown = false;
  let latest = "";
  const show = (): void => {
    const nowUs = systemClock.monotonicUs();
    if (nowUs - shownAtUs < SHOWN_EVERY_US || latest === "") return;
    shownAtUs = nowUs;
    isShown = true;
    host.showProgress(`${latest} (${Math.floor((nowUs - startedAtUs) / 1_000_000)} s)`);
  };
  const ended = new AbortController();
  const renewing = renew(show, ended.signal);
  try {
    return await work((doing, share) => {
      latest = share === undefined ? `${doing} …` : `${bar(share)} ${doing}`;
      show();
    });
  } finally {
    ended.abort();
    await renewing;
    if (isShown) host.showProgress("");
  }
}

/** What is under way may tell nothing for long: the seconds go on. */
async function renew(show: () => void, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await systemClock.sleep(SHOWN_EVERY_US / 1_000, ended);
    if (!ended.aborted) show();
  }
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS);
  return `${"█".repeat(full)}${"░".repeat(BAR_CELLS - full)} ${String(Math.floor(share * 100)).padStart(3)} %`;
}

/** Microseconds since the epoch of what somebody wrote. Throws PipelineError "config.time". */
export function timeOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const us = parseIsoUs(text);
  if (Number.isSafeInteger(us)) return us;
  throw new PipelineError("config.time", `${option} ${text} is not a time`, {
    hint: "Use ISO 8601, such as 2026-11-21T06:00:00Z.",
  });
}

/** One of the names that are known. Throws PipelineError "config.name". */
export function oneOf<T extends string>(option: string, text: string, known: readonly T[]): T {
  const found = known.find((name) => name === text);
  if (found !== undefined) return found;
  throw new PipelineError("config.name", `${option} ${text} is not known`, {
    hint: `Use one of ${known.join(", ")}.`,
  });
}

/** A whole number above 0. Throws PipelineError "config.number". */
export function countOf(option: string, text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0) return count;
  throw new PipelineError("config.number", `${option} ${text} is no whole number above 0`, {
    hint: `Write ${option} 100, for example.`,
  });
}
