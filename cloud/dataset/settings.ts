import { z } from "zod";

/** How vectors and labels become a training set. */
export const datasetSettingsSchema = z.strictObject({
  /** Whether a window without any label counts as healthy. */
  assumeNormal: z.boolean().default(true).describe("Whether a window without any label counts as healthy."),
  /** Share of the healthy windows, the latest ones, that is kept for testing. */
  testShare: z
    .number()
    .min(0.05)
    .max(0.5)
    .default(0.3)
    .describe("Share of the healthy windows, the latest ones, that is kept for testing."),
  /** How many hours of history before the cut-off are used. */
  historyHours: z
    .number()
    .min(0.01)
    .max(87_600)
    .default(720)
    .describe("How many hours of history before the cut-off are used."),
});

export type DatasetSettings = z.infer<typeof datasetSettingsSchema>;
