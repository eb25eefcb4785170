import { epochSchema, gatewayIdSchema } from "./ids.ts";
import { STREAMS, type Stream } from "./stream.ts";

/** What a landing object's key says: a contiguous, inclusive range of one stream of one gateway's buffer. */
export interface LandingRange {
  readonly stream: Stream;
  readonly gateway: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
}

/** Digits of an offset in a key: 2^53 has 16, and equal widths make listing order numeric order. */
const OFFSET_DIGITS = 16;

/** The metadata key that holds the SHA-256 of a landing object's bytes, in hex. */
export const SHA256_METADATA = "sha256";

export const LANDING_PREFIX = "landing/";

/** An offset as keys have it. */
export const offsetKey = (offset: number): string => String(offset).padStart(OFFSET_DIGITS, "0");

/** Where the landing objects of one stream of one gateway's buffer lie. */
export const epochPrefix = ({ stream, gateway, epoch }: Omit<LandingRange, "from" | "to">): string =>
  `${LANDING_PREFIX}${stream}/gateway=${gateway}/epoch=${epoch}/`;

export const landingKey = (range: LandingRange): string =>
  `${epochPrefix(range)}${offsetKey(range.from)}-${offsetKey(range.to)}.arrow.zst`;

/** Reads a landing key; undefined where it is not one that `landingKey` makes. */
export function parseLandingKey(key: string): LandingRange | undefined {
  const parts = /^landing\/([a-z]+)\/gateway=([^/]+)\/epoch=([^/]+)\/(\d{16})-(\d{16})\.arrow\.zst$/.exec(
    key,
  );
  if (parts === null) return undefined;
  const [, name, gateway, epoch, from, to] = parts;
  const stream = STREAMS.find((known) => known === name);
  if (stream === undefined || !gatewayIdSchema.safeParse(gateway).success) return undefined;
  if (!epochSchema.safeParse(epoch).success || gateway === undefined || epoch === undefined) return undefined;
  const range = { stream, gateway, epoch, from: Number(from), to: Number(to) };
  return range.from <= range.to && Number.isSafeInteger(range.to) ? range : undefined;
}

export const tablePrefix = (stream: Stream): string => `tables/${stream}/`;

export const FLEET_PREFIX = "fleet/";
export const desiredKey = (gateway: string): string => `${FLEET_PREFIX}${gateway}/desired.json`;
export const reportedKey = (gateway: string): string => `${FLEET_PREFIX}${gateway}/reported.json`;

export const registryPrefix = (model: string): string => `registry/${model}/`;
const versionName = (version: number): string => String(version).padStart(6, "0");
export const versionPrefix = (model: string, version: number): string =>
  `${registryPrefix(model)}versions/${versionName(version)}/`;
/** One object per entry of the append-only alias history. */
export const aliasKey = (model: string, entry: number): string =>
  `${registryPrefix(model)}aliases/${versionName(entry)}.json`;

/** A view by its content hash, put once when a job or a gateway first uses it. */
export const viewKey = (viewHash: string): string => `views/${viewHash}.json`;

/** One object per run of the learning loop for a model, numbered from 1. */
export const attemptPrefix = (model: string): string => `${registryPrefix(model)}attempts/`;
export const attemptKey = (model: string, attempt: number): string =>
  `${attemptPrefix(model)}${versionName(attempt)}.json`;
