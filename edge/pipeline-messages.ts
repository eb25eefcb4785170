import type { MessagePort } from "node:worker_threads";
import type { OnlineAnswer, OnlineQuery } from "@sluice/shared/contract/online.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { GatewaySettings } from "./settings.ts";
import type { PipelineSnapshot } from "./status/gateway-status.ts";
import type { Announcement } from "./pipeline.ts";

/** A failure as it crosses between threads, which do not share classes. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** The cause's message. */
  readonly cause: string | undefined;
}

/** What the worker thread is started with. */
export interface WorkerData {
  readonly settings: GatewaySettings;
  /** Where groups come from. */
  readonly groups: MessagePort;
}

export type ToWorker =
  | { readonly kind: "snapshot"; readonly id: number }
  | { readonly kind: "online"; readonly id: number; readonly query: OnlineQuery }
  | { readonly kind: "nudge" }
  | { readonly kind: "stop"; readonly deadlineMs: number };

export type FromWorker =
  | { readonly kind: "ready"; readonly epoch: string }
  | { readonly kind: "snapshot"; readonly id: number; readonly snapshot: PipelineSnapshot }
  | { readonly kind: "online"; readonly id: number; readonly outcome: OnlineAnswer | Failure }
  | { readonly kind: "announcement"; readonly announcement: Announcement }
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "stopped" };

export function toFailure(error: unknown): Failure {
  if (error instanceof PipelineError) {
    const cause = error.cause instanceof Error ? error.cause.message : undefined;
    return { code: error.code, message: error.message, hint: error.hint, cause };
  }
  return {
    code: "internal",
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    hint: undefined,
    cause: undefined,
  };
}

export function fromFailure({ code, message, hint, cause }: Failure): PipelineError {
  return new PipelineError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause: new Error(cause) }),
  });
}
