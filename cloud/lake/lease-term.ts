import { isoTime, parseIsoUs } from "@sluice/shared/runtime/clock.ts";

/** Where the terms of the lake's leases lie, one folder for each lease. */
export const LEASES_PREFIX = "leases/";

/** Digits of a term in its key: equal widths make listing order numeric order. */
const TERM_DIGITS = 12;

/** One term of a lease: who has it, from when to when by that one's wall clock. Never changed once it is there. */
export interface Term {
  readonly number: number;
  /** One process: a new one at the same machine is another owner. */
  readonly ownerId: string;
  /** For people: the machine and the process. */
  readonly owner: string;
  readonly sinceUs: number;
  /** How long it lasts from when its holder began to ask for it, in milliseconds; 0: the holder has given the lease back. */
  readonly lastsMs: number;
}

export const termPrefix = (lease: string): string => `${LEASES_PREFIX}${lease}/`;

export const termKey = (lease: string, number: number): string =>
  `${termPrefix(lease)}${String(number).padStart(TERM_DIGITS, "0")}.json`;

/** Reads a term's key; undefined where it is not one that `termKey` makes. */
export function parseTermKey(lease: string, key: string): number | undefined {
  const match = /^(\d{12})\.json$/.exec(key.slice(termPrefix(lease).length));
  return match === null ? undefined : Number(match[1]);
}

/** When the term ends by its holder's wall clock, in microseconds since the epoch. */
export const untilUs = (term: Term): number => term.sinceUs + term.lastsMs * 1_000;

export const formatTerm = (term: Term): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({
      owner: term.owner,
      ownerId: term.ownerId,
      since: isoTime(term.sinceUs),
      until: isoTime(untilUs(term)),
      lastsMs: term.lastsMs,
    }),
  );

/** Longest that a term can say it lasts: what is longer was not written by this program. */
const LASTS_MS_MAX = 86_400_000;

/** Reads a term; undefined where the bytes are not one. */
export function parseTerm(number: number, body: Uint8Array): Term | undefined {
  const parsed = parseJson(new TextDecoder().decode(body));
  const [owner, ownerId, since, lastsMs] = ["owner", "ownerId", "since", "lastsMs"].map((name): unknown =>
    typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, name) : undefined,
  );
  const sinceUs = typeof since === "string" ? parseIsoUs(since) : NaN;
  if (
    typeof owner === "string" &&
    typeof ownerId === "string" &&
    typeof lastsMs === "number" &&
    lastsMs >= 0 &&
    lastsMs <= LASTS_MS_MAX &&
    Number.isFinite(sinceUs)
  )
    return { number, owner, ownerId, sinceUs, lastsMs };
  return undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
