import { z } from "zod";

/** What a candidate must reach to be promoted. */
export const evaluationSettingsSchema = z.strictObject({
  /** Largest share of later healthy windows that a first model may alarm on. */
  falseAlarmRateMax: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe("Largest share of later healthy windows that a first model may alarm on."),
  /** Largest share of labelled faulty windows that a first model may miss. */
  missedAlarmRateMax: z
    .number()
    .min(0)
    .max(1)
    .default(0.9)
    .describe("Largest share of labelled faulty windows that a first model may miss."),
  /** How much larger the share of false alarms may be than the champion's. */
  falseAlarmMargin: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe("How much larger the share of false alarms may be than the champion's."),
  /** How much larger the share of missed faulty windows may be than the champion's. */
  missedAlarmMargin: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("How much larger the share of missed faulty windows may be than the champion's."),
  /** Fewest later healthy windows to judge on. */
  healthyRowsMin: z
    .int()
    .min(10)
    .max(1_000_000)
    .default(50)
    .describe("Fewest later healthy windows to judge on."),
  /** Length of a bootstrap block in window lengths: windows within it are taken to depend on each other. */
  blockWindows: z
    .int()
    .min(1)
    .max(10_000)
    .default(10)
    .describe(
      "Length of a bootstrap block in window lengths: windows within it are taken to depend on each other.",
    ),
  /** How many times the blocks are drawn anew for the confidence intervals. */
  resamples: z
    .int()
    .min(100)
    .max(10_000)
    .default(500)
    .describe("How many times the blocks are drawn anew for the confidence intervals."),
  /** Confidence of the intervals: a share. */
  confidence: z.number().min(0.5).max(0.999).default(0.95).describe("Confidence of the intervals: a share."),
  /** Seed of the bootstrap's draws. */
  seed: z.int().min(0).max(2_147_483_647).default(1).describe("Seed of the bootstrap's draws."),
});

export type EvaluationSettings = z.infer<typeof evaluationSettingsSchema>;
