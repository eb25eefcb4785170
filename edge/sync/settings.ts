import { STREAMS } from "@sluice/shared/contract/stream.ts";
import { z } from "zod";
import { leavesTime, localMinute, minuteOfDay } from "./quiet-hours.ts";

const stream = z.enum(STREAMS);

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "a time of day such as 22:30");

const quietHoursSchema = z
  .strictObject({
    from: timeOfDay.describe("When it begins, in local time.").meta({ examples: ["06:00"] }),
    to: timeOfDay.describe("When it ends, in local time; before `from` it is on the next day.").meta({
      examples: ["22:00"],
    }),
  })
  .refine(({ from, to }) => from !== to, "from and to are the same: leave the quiet hours out");

const durationMs = z.int().min(0).max(86_400_000);

const readingPolicySchema = z.discriminatedUnion("policy", [
  z.strictObject({ policy: z.literal("everything").describe("Every reading is sent.") }),
  z.strictObject({
    policy: z.literal("thinned").describe("One reading of each series is sent in each interval."),
    intervalMs: z
      .int()
      .min(1)
      .max(86_400_000)
      .default(60_000)
      .describe("How long an interval is, in milliseconds of event time, aligned to the epoch."),
  }),
  z.strictObject({
    policy: z
      .literal("around_anomalies")
      .describe("Only readings around windows are sent that the champion called anomalous."),
    beforeMs: durationMs
      .default(60_000)
      .describe("How much before such a window is sent too, in milliseconds of event time."),
    afterMs: durationMs
      .default(60_000)
      .describe("How much after such a window is sent too, in milliseconds of event time."),
  }),
]);

/** Which readings go to the lake. */
export type ReadingPolicy = z.infer<typeof readingPolicySchema>;

const isZone = (zone: string): boolean => {
  try {
    localMinute(zone, 0);
    return true;
  } catch {
    return false;
  }
};

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
  /** The most that is sent on a day of UTC, in bytes of batches; left out, there is no cap. */
  bandwidthBytesPerDayMax: z
    .int()
    .min(100_000)
    .optional()
    .describe("The most that is sent on a day of UTC, in bytes of batches; left out, there is no cap."),
  /** The last share of the day's bytes, which is kept for urgentStreams. */
  dayReserveShare: z
    .number()
    .min(0)
    .max(0.9)
    .default(0.1)
    .describe("The last share of the day's bytes, which is kept for urgentStreams."),
  /** Times of each day in which only urgentStreams are sent. */
  quietHours: z
    .array(quietHoursSchema)
    .max(24)
    .default([])
    .refine(
      (hours) =>
        leavesTime(
          hours.map(({ from, to }) => ({ fromMinute: minuteOfDay(from), toMinute: minuteOfDay(to) })),
        ),
      "the quiet hours leave no minute of the day: readings would never be sent",
    )
    .describe("Times of each day in which only urgentStreams are sent."),
  /** The time zone of quietHours, by its IANA name. */
  quietTimeZone: z
    .string()
    .default("UTC")
    .refine(isZone, "not a time zone of the IANA database, such as Europe/Berlin")
    .describe("The time zone of quietHours, by its IANA name."),
  /** Streams that are sent in quiet hours too, and may use the whole of the day's bytes. */
  urgentStreams: z
    .array(stream)
    .default(["predictions", "events"])
    .describe("Streams that are sent in quiet hours too, and may use the whole of the day's bytes."),
  /** Which stream goes first: each of them once. */
  uploadOrder: z
    .array(stream)
    .default(["predictions", "events", "features", "labels", "quarantine", "readings"])
    .refine(
      (order) => order.length === STREAMS.length && new Set(order).size === STREAMS.length,
      `name each of ${STREAMS.join(", ")} once`,
    )
    .describe("Which stream goes first: each of them once."),
  /** How many uploads may be under way at once while the lake can be reached: they hide the latency of a long link. */
  uploadsMax: z
    .int()
    .min(1)
    .max(16)
    .default(4)
    .describe(
      "How many uploads may be under way at once while the lake can be reached: they hide the latency of a long link.",
    ),
  /** Which readings go to the lake; what is left out is told to it as an event. */
  readings: readingPolicySchema
    .default({ policy: "everything" })
    .describe("Which readings go to the lake; what is left out is told to it as an event."),
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
