import { z } from "zod";
import { gatewayIdSchema, keyNameSchema } from "./ids.ts";
import { STREAMS } from "./stream.ts";

/** One registered version of one model. */
export const modelVersionSchema = z.strictObject({ model: keyNameSchema, version: z.int().min(1) });
export type ModelVersion = z.infer<typeof modelVersionSchema>;

/** `fleet/<gateway>/desired.json`, written by the cloud: what the gateway is to run. */
export const desiredStateSchema = z.strictObject({
  formatVersion: z.literal(1),
  gateway: gatewayIdSchema,
  /** Grows with each change, so that a report can say which wish it answers. */
  revision: z.int().min(1),
  /** Undefined: run no model. */
  champion: modelVersionSchema.optional(),
  updatedAtUs: z.int(),
  reason: z.string(),
});
export type DesiredState = z.infer<typeof desiredStateSchema>;

/** What a gateway still has of one stream of its epoch; offsets are the last of their kind, -1 before the first. */
const streamDeliverySchema = z.strictObject({
  /** The lake has everything up to here. */
  deliveredThrough: z.int().min(-1),
  /** Up to here it is in batches of the outbox, or was. */
  sealedThrough: z.int().min(-1),
  /** Rows that are in no batch yet. */
  waitingRows: z.int().min(0),
});

/** How far a gateway's messages have come on their way to the lake. */
export const deliverySchema = z.strictObject({
  /** The last message that was stored, and the last that was decoded; -1 before the first. */
  storedThrough: z.int().min(-1),
  decodedThrough: z.int().min(-1),
  streams: z.partialRecord(z.enum(STREAMS), streamDeliverySchema),
});
export type Delivery = z.infer<typeof deliverySchema>;

/** `fleet/<gateway>/reported.json`, written by the gateway: what it runs. */
export const reportedStateSchema = z.strictObject({
  formatVersion: z.literal(1),
  gateway: gatewayIdSchema,
  epoch: z.uuid(),
  softwareVersion: z.string(),
  reportedAtUs: z.int(),
  /** The desired revision that this answers; 0 before the first. */
  desiredRevision: z.int().min(0),
  champion: modelVersionSchema.optional(),
  /** When the champion was loaded here. */
  championSinceUs: z.int().optional(),
  /** Why the desired model is not the one that runs; without model and version where the wish itself is unreadable. */
  refusal: z
    .strictObject({ ...modelVersionSchema.partial().shape, code: z.string(), message: z.string() })
    .optional(),
  /** Hashes of the views that this gateway computes. */
  viewHashes: z.array(z.string()),
  counters: z.record(z.string(), z.number()),
  /** What is still in the gateway, so that what is missing in the lake can be explained. */
  delivery: deliverySchema.optional(),
});
export type ReportedState = z.infer<typeof reportedStateSchema>;
