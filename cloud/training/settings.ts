import { z } from "zod";

/** How candidates are fitted. The same settings, data and code give the same weights. */
export const trainingSettingsSchema = z.strictObject({
  /** Seed of the initial weights and of the order of the batches. */
  seed: z
    .int()
    .min(0)
    .max(2_147_483_647)
    .default(1)
    .describe("Seed of the initial weights and of the order of the batches."),
  /** Most passes over the training rows. */
  epochsMax: z.int().min(1).max(10_000).default(200).describe("Most passes over the training rows."),
  /** Passes without a better loss on the held-out rows after which fitting stops. */
  patienceEpochs: z
    .int()
    .min(1)
    .max(1_000)
    .default(10)
    .describe("Passes without a better loss on the held-out rows after which fitting stops."),
  /** Rows of one gradient step. */
  batchRows: z.int().min(1).max(65_536).default(32).describe("Rows of one gradient step."),
  /** Step size of the Adam optimiser. */
  learningRate: z.number().min(1e-6).max(1).default(0.005).describe("Step size of the Adam optimiser."),
  /** Units of the autoencoder's hidden layers, in order; auto derives a bottleneck from the number of inputs. */
  hiddenUnits: z
    .union([z.literal("auto"), z.array(z.int().min(1).max(1_024)).min(1).max(15)])
    .default("auto")
    .describe(
      "Units of the autoencoder's hidden layers, in order; auto derives a bottleneck from the number of inputs.",
    ),
  /** Share of the variance that the linear model's components must explain. */
  pcaVariance: z
    .number()
    .min(0.5)
    .max(0.999)
    .default(0.95)
    .describe("Share of the variance that the linear model's components must explain."),
  /** Quantile of the scores of held-out healthy rows that the threshold starts from. */
  thresholdQuantile: z
    .number()
    .min(0.5)
    .max(1)
    .default(0.995)
    .describe("Quantile of the scores of held-out healthy rows that the threshold starts from."),
  /** Factor on that quantile, so that a finite sample of healthy time does not alarm all the time. */
  thresholdMargin: z
    .number()
    .min(1)
    .max(100)
    .default(1.5)
    .describe(
      "Factor on that quantile, so that a finite sample of healthy time does not alarm all the time.",
    ),
  /** Fewest healthy rows to train on. */
  rowsMin: z.int().min(40).max(1_000_000).default(200).describe("Fewest healthy rows to train on."),
  /** Most healthy rows to train on; of more, an even selection over time is taken. */
  rowsMax: z
    .int()
    .min(1_000)
    .max(1_000_000)
    .default(50_000)
    .describe("Most healthy rows to train on; of more, an even selection over time is taken."),
  /** Most minutes that fitting one model may take. */
  minutesMax: z
    .number()
    .min(0.1)
    .max(1_440)
    .default(30)
    .describe("Most minutes that fitting one model may take."),
});

export type TrainingSettings = z.infer<typeof trainingSettingsSchema>;
