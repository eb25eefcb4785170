import type { DuckDBConnection } from "@duckdb/node-api";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

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
  const interrupt = (): void => connection.interrupt();
  signal?.addEventListener("abort", interrupt);
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", interrupt);
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
