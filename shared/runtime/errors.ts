/** What the caller should do with a failure. */
export type Recovery = "retry" | "quarantine" | "stop";

const RECOVERY: Readonly<Record<string, Recovery>> = {
  "store.unavailable": "retry",
  "store.timeout": "retry",
  "store.conflict": "retry",
  // The S3 client takes the server's time from the refusal, so the next try is signed right.
  "store.clock_skew": "retry",
  // Another service has it now; this one stands by.
  "lake.lease_lost": "retry",
  "mqtt.unavailable": "retry",
  "landing.damaged": "quarantine",
  "landing.foreign": "quarantine",
  "payload.malformed": "quarantine",
  "bundle.refused": "quarantine",
};

/**
 * A broken promise of the world: a stable `code` in the form area.problem, a message that names the thing, a `hint`
 * that an operator can follow, and the cause.
 */
export class PipelineError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "PipelineError";
    this.code = code;
    this.hint = options.hint;
  }
}

/** Alone decides what happens after a failure. What we do not know is ours: stop. */
export function recoveryOf(error: unknown): Recovery {
  return error instanceof PipelineError ? (RECOVERY[error.code] ?? "stop") : "stop";
}

/** A failure in one line for a person: message, cause where the message does not say it already, hint. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const reason = error.cause instanceof Error ? error.cause.message : "";
  const cause = error.message.includes(reason) ? "" : `: ${reason}`;
  const hint = error instanceof PipelineError && error.hint !== undefined ? ` ${error.hint}` : "";
  const code = error instanceof PipelineError ? ` [${error.code}]` : "";
  return `${error.message}${cause}${code}${hint}`;
}
