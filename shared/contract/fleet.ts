import { z } from "zod";
import { gatewayIdSchema, keyNameSchema } from "./ids.ts";

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
});
export type ReportedState = z.infer<typeof reportedStateSchema>;
