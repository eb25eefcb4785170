import { z } from "zod";

/** How rows are made into batches and brought to the lake. */
export const syncSettingsSchema = z.strictObject({
  /** How many rows make a batch due; small batches cost the lake more per row. */
  batchRowsMax: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(20_000)
    .describe("How many rows make a batch due; small batches cost the lake more per row."),
  /** How many bytes of rows in the buffer make a batch due. */
  batchBytesMax: z
    .int()
    .min(1_024)
    .max(268_435_456)
    .default(8_388_608)
    .describe("How many bytes of rows in the buffer make a batch due."),
  /** How long a row waits for its batch to fill, in milliseconds, while the lake can be reached. */
  batchAgeMs: z
    .int()
    .min(100)
    .max(86_400_000)
    .default(10_000)
    .describe("How long a row waits for its batch to fill, in milliseconds, while the lake can be reached."),
  /** How often it is looked whether a batch is due, in milliseconds. */
  pollMs: z
    .int()
    .min(10)
    .max(60_000)
    .default(250)
    .describe("How often it is looked whether a batch is due, in milliseconds."),
  /** How long one upload may take, the store's own retries included, in milliseconds. */
  uploadTimeoutMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(300_000)
    .describe("How long one upload may take, the store's own retries included, in milliseconds."),
  /** The first wait after a failed upload, in milliseconds; each further one is twice as long. */
  retryBaseMs: z
    .int()
    .min(10)
    .max(600_000)
    .default(1_000)
    .describe("The first wait after a failed upload, in milliseconds; each further one is twice as long."),
  /** The longest wait between uploads while the lake is away, in milliseconds. */
  retryMaxMs: z
    .int()
    .min(10)
    .max(3_600_000)
    .default(60_000)
    .describe("The longest wait between uploads while the lake is away, in milliseconds."),
  /** The most that is sent, in bytes per second, averaged over batches; left out, there is no cap. */
  bandwidthBytesPerSecondMax: z
    .int()
    .min(100)
    .optional()
    .describe(
      "The most that is sent, in bytes per second, averaged over batches; left out, there is no cap.",
    ),
  /** How long a stop may go on sending what is there, in milliseconds; the rest is sent after the next start. */
  stopFlushMs: z
    .int()
    .min(0)
    .max(600_000)
    .default(3_000)
    .describe(
      "How long a stop may go on sending what is there, in milliseconds; the rest is sent after the next start.",
    ),
});

export type SyncSettings = z.infer<typeof syncSettingsSchema>;
