import { z } from "zod";

/** Which models may be loaded, and how often the gateway looks for one. */
export const modelsSettingsSchema = z.strictObject({
  /** Files of the public keys (PEM) whose signatures are trusted; relative paths start at this file. */
  publicKeys: z
    .array(z.string().min(1))
    .min(1)
    .max(16)
    .describe(
      "Files of the public keys (PEM) whose signatures are trusted; relative paths start at this file.",
    )
    .meta({ examples: [["keys/signing.pub"]] }),
  /** How often the gateway asks the lake which model it is to run. */
  pollIntervalMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(5_000)
    .describe("How often the gateway asks the lake which model it is to run."),
  /** How often the gateway reports what it runs, beside each change. */
  reportIntervalMs: z
    .int()
    .min(100)
    .max(86_400_000)
    .default(30_000)
    .describe("How often the gateway reports what it runs, beside each change."),
  /** The largest weights file that is downloaded: 64 MiB hold 16 million weights. */
  bundleBytesMax: z
    .int()
    .min(1_024)
    .max(1_073_741_824)
    .default(67_108_864)
    .describe("The largest weights file that is downloaded: 64 MiB hold 16 million weights."),
  /** How often a bundle that arrives damaged is downloaded before it is refused. */
  downloadAttemptsMax: z
    .int()
    .min(1)
    .max(20)
    .default(3)
    .describe("How often a bundle that arrives damaged is downloaded before it is refused."),
  /** The longest wait between two tries while the lake is away. */
  backoffMaxMs: z
    .int()
    .min(1_000)
    .max(3_600_000)
    .default(60_000)
    .describe("The longest wait between two tries while the lake is away."),
});

export type ModelsSettings = z.infer<typeof modelsSettingsSchema>;
