import { z } from "zod";

/** How scores become alerts. */
export const inferenceSettingsSchema = z.strictObject({
  /** How many windows in a row must be anomalous before an alert is raised for a device. */
  raiseAfterWindows: z
    .int()
    .min(1)
    .max(10_000)
    .default(2)
    .describe("How many windows in a row must be anomalous before an alert is raised for a device."),
  /** How many windows in a row must be normal before a device's alert is cleared. */
  clearAfterWindows: z
    .int()
    .min(1)
    .max(10_000)
    .default(5)
    .describe("How many windows in a row must be normal before a device's alert is cleared."),
  /** The largest share of a model's inputs that may be missing for a window to be scored. */
  missingShareMax: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe("The largest share of a model's inputs that may be missing for a window to be scored."),
  /** How many devices can be under suspicion or in alarm at once; beyond it the longest unchanged is forgotten. */
  suspectDevicesMax: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe(
      "How many devices can be under suspicion or in alarm at once; beyond it the longest unchanged is forgotten.",
    ),
});

export type InferenceSettings = z.infer<typeof inferenceSettingsSchema>;
