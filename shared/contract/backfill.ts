import { z } from "zod";
import { deviceIdSchema, epochSchema, gatewayIdSchema } from "./ids.ts";

/** The hex digit of a UUID that says its version. */
const VERSION_PLACE = 14;

/**
 * Whether the rows of an epoch were computed from the lake's readings afterwards: its UUID is of version 8 (RFC 9562,
 * "custom"), made from a hash. The epoch of a gateway's buffer is random, version 4.
 */
export const isBackfillEpoch = (epoch: string): boolean => epoch[VERSION_PLACE] === "8";

/**
 * `backfills/<epoch>.json`: which vectors a back-fill computes of which readings. What says the same is the same
 * back-fill: the epoch that its vectors are stored under follows from the hash of these fields.
 */
export const backfillRecordSchema = z.strictObject({
  formatVersion: z.literal(1),
  viewHash: z.string().regex(/^[0-9a-f]{64}$/),
  /** Whose readings. */
  gateway: gatewayIdSchema,
  sourceEpoch: epochSchema,
  /** The first message that the engine saw. */
  sinceOffset: z.int().min(0),
  /** Windows that begin at or after it, in microseconds since the epoch; and that end by `toUs`. */
  fromUs: z.int(),
  toUs: z.int(),
  /** Only this device's vectors are kept; all devices' where left out. */
  device: deviceIdSchema.optional(),
});

export type BackfillRecord = z.infer<typeof backfillRecordSchema>;

export const BACKFILL_PREFIX = "backfills/";
export const backfillKey = (epoch: string): string => `${BACKFILL_PREFIX}${epoch}.json`;
