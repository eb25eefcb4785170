import { parseIsoTimeUs } from "@sluice/shared/codec/payload/time.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { AsOf } from "./delta-history.ts";

/**
 * Reads which state somebody asked for: a version in digits, an ISO 8601 time with its zone, or a day, which means its
 * beginning in UTC. Throws PipelineError "config.as_of".
 */
export function parseAsOf(text: string): AsOf {
  const version = Number(text);
  if (/^\d{1,15}$/.test(text)) return { version };
  const us = parseIsoTimeUs(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00Z` : text);
  if (Number.isSafeInteger(us)) return { atMs: Math.floor(us / 1_000) };
  throw new PipelineError("config.as_of", `--as-of ${text} is neither a version nor a time`, {
    hint: "Use a version of one table, such as 12, or an ISO 8601 time with its zone, such as 2026-11-21T06:00:00Z.",
  });
}
