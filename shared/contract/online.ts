import { z } from "zod";
import { deviceIdSchema } from "./ids.ts";
import type { Closing } from "./vector.ts";

/** Most devices that one request may ask for: an answer of 1,000 vectors of 100 features is about 4 MB. */
export const ONLINE_DEVICES_MAX = 1_000;

/** Comes back with the answer, so that a client can tell its requests apart. */
const id = z.string().max(128).optional();

/** The last level of the topic of the answer, below `sluice/<gateway>/features/reply/`; the client id unless given. */
const replyTo = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, "1 to 64 letters, digits, dots, dashes or underscores")
  .optional();

/** What a request says of its answer, also one that is otherwise not valid. */
export const onlineEnvelopeSchema = z.looseObject({
  id: id.catch(undefined),
  replyTo: replyTo.catch(undefined),
});

/** What is asked of a gateway over MQTT: the newest vectors of a view. */
export const onlineRequestSchema = z.strictObject({
  id,
  replyTo,
  /** A view's name or its hash. */
  view: z.string().min(1).max(128),
  devices: z.array(deviceIdSchema).min(1).max(ONLINE_DEVICES_MAX),
  /** Names of the features that are wanted; all unless given. */
  features: z.array(z.string().min(1).max(64)).min(1).max(512).optional(),
});

export type OnlineRequest = z.infer<typeof onlineRequestSchema>;

/** Which vectors are asked for. */
export type OnlineQuery = Pick<OnlineRequest, "view" | "devices" | "features">;

/**
 * PRESENT: there is a value. NULL: the window had none, for lack of readings. NOT_FOUND: the device has no vector of
 * this view. OUTSIDE_MAX_AGE: it has one, older than the view's `ttlMs`, and so it is not given.
 */
export type OnlineStatus = "PRESENT" | "NULL" | "NOT_FOUND" | "OUTSIDE_MAX_AGE";

export interface OnlineValue {
  readonly status: OnlineStatus;
  /** Only where PRESENT. */
  readonly value?: number;
}

/**
 * The newest vector of one device. Its status is NULL where no feature that was asked for has a value. Times are ISO
 * 8601, UTC; `ageMs` is from the end of the window in event time until now, and is not there without a vector.
 */
export interface OnlineVector {
  readonly device: string;
  readonly status: OnlineStatus;
  readonly ageMs?: number;
  readonly windowStart?: string;
  readonly windowEnd?: string;
  readonly revision?: number;
  /** When the vector was made, by the arrival of the reading that closed its window. */
  readonly knownAt?: string;
  readonly closedBy?: Closing;
  readonly readingCount?: number;
  readonly violations?: readonly string[];
  readonly withheld?: boolean;
  readonly values: Readonly<Record<string, OnlineValue>>;
}

/** What a gateway answers. */
export interface OnlineAnswer {
  readonly view: string;
  readonly viewHash: string;
  readonly maxAgeMs: number;
  /** One per device that was asked for, in that order. */
  readonly vectors: readonly OnlineVector[];
}
