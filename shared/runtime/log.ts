import { pino } from "pino";

/** What a stage may say. `warn`: no data lost. `error`: data lost, or a person must act. Silence means health. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A log of JSON lines on standard error, so that standard output stays free for answers. */
export function createLog(name: string, level: LogLevel): Log {
  return pino({ name, level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}

export const silentLog: Log = { debug: ignore, info: ignore, warn: ignore, error: ignore };

function ignore(): void {
  // A log that nobody reads.
}
