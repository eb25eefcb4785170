import type { OnlineAnswer, OnlineQuery } from "@sluice/shared/contract/online.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
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

export type ToWorker =
  | { readonly kind: "group"; readonly id: number; readonly group: ArrayBuffer }
  | { readonly kind: "snapshot"; readonly id: number }
  | { readonly kind: "online"; readonly id: number; readonly query: OnlineQuery }
  | { readonly kind: "nudge" }
  | { readonly kind: "stop"; readonly deadlineMs: number };

export type FromWorker =
  | { readonly kind: "ready"; readonly epoch: string }
  /** The group is on disk, or it is not and nothing of it may be acknowledged. */
  | { readonly kind: "settled"; readonly id: number; readonly failure: Failure | undefined }
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
