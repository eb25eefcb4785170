import { z } from "zod";

/** What one run of the learning loop saw and decided; kept in the lake, so that a restarted cloud goes on from it. */
export const attemptSchema = z.strictObject({
  attempt: z.int().min(1),
  model: z.string(),
  trigger: z.enum(["first_model", "new_labels", "new_data", "by_hand"]),
  /** Everything known by then was used. */
  cutoffUs: z.int(),
  startedAtUs: z.int(),
  endedAtUs: z.int(),
  datasetId: z.string().optional(),
  /** Vectors and labels that the lake held then: the next triggers count from here. */
  rows: z.int(),
  labels: z.int(),
  decision: z.enum(["promote", "reject", "cannot_tell", "failed"]),
  /** The registered version that was promoted. */
  version: z.int().optional(),
  reasons: z.array(z.string()),
  /** The comparison as it was printed. */
  table: z.string(),
});
export type Attempt = z.infer<typeof attemptSchema>;
