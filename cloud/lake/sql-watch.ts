import type { DuckDBConnection } from "@duckdb/node-api";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

const INTERRUPT_EVERY_MS = 20;

/** Who watches a question: hears what is being done, and may end it. */
export interface Watch {
  readonly tell?: ((doing: string, share?: number) => void) | undefined;
  /** Its reason is what is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Runs work on a connection, which is interrupted when the signal says so. Throws the signal's reason then. */
export async function watched<T>(
  connection: DuckDBConnection,
  { signal }: Watch,
  work: () => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const ended = new AbortController();
  let interrupting = Promise.resolve();
  const interrupt = (): void => void (interrupting = interruptUntil(connection, ended.signal));
  signal?.addEventListener("abort", interrupt);
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", interrupt);
    ended.abort();
    await interrupting;
  }
}

/** The engine forgets an interruption that comes between planning and running: it is told until it has ended. */
async function interruptUntil(connection: DuckDBConnection, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    connection.interrupt();
    await systemClock.sleep(INTERRUPT_EVERY_MS, ended);
  }
}

/** The answer took longer than somebody wanted to wait. */
export const timedOut = (timeoutMs: number): PipelineError =>
  new PipelineError("sql.timeout", `the answer took longer than ${timeoutMs} ms`, {
    hint: "Ask for less (a date, a device), or give more time with --timeout or tables.queryTimeoutMs.",
  });

/** Somebody does not want the answer any more. */
export const interrupted = (): PipelineError =>
  new PipelineError("sql.interrupted", "the query was interrupted; nothing was changed");
