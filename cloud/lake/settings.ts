import { z } from "zod";

const retentionSchema = z.strictObject({
  dropAfterDays: z
    .int()
    .min(1)
    .max(36_500)
    .optional()
    .describe("Days that ended so many days ago are dropped; missing: none are."),
});

/** How landing objects become tables, and what questions to the tables may cost. */
export const lakeSettingsSchema = z.strictObject({
  /** The folder for copies of table files that queries read; it can be deleted at any time. */
  cacheDir: z
    .string()
    .min(1)
    .describe("The folder for copies of table files that queries read; it can be deleted at any time.")
    .meta({ examples: ["./cache"] }),
  /** Most bytes of table files that the cache keeps. */
  cacheBytesMax: z
    .int()
    .min(1_048_576)
    .default(21_474_836_480)
    .describe("Most bytes of table files that the cache keeps."),
  /** How often landing objects are looked for, in milliseconds. */
  commitIntervalMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(10_000)
    .describe("How often landing objects are looked for, in milliseconds."),
  /** How long after a committing service has died another one goes on, at most, in milliseconds. */
  leaseMs: z
    .int()
    .min(1_000)
    .max(3_600_000)
    .default(60_000)
    .describe("How long after a committing service has died another one goes on, at most, in milliseconds."),
  /** How long a landing object stays after its rows were committed, in milliseconds. */
  landingGraceMs: z
    .int()
    .min(0)
    .max(31_536_000_000)
    .default(3_600_000)
    .describe("How long a landing object stays after its rows were committed, in milliseconds."),
  /** How long a table can be read as it was, and its log and tombstones are kept, in milliseconds. */
  logRetentionMs: z
    .int()
    .min(0)
    .max(315_360_000_000)
    .default(2_592_000_000)
    .describe(
      "How long a table can be read as it was, and its log and tombstones are kept, in milliseconds.",
    ),
  /** Most bytes of landing objects, as they lie in the lake, that one commit takes. */
  commitBytesMax: z
    .int()
    .min(1_024)
    .max(1_073_741_824)
    .default(4_194_304)
    .describe("Most bytes of landing objects, as they lie in the lake, that one commit takes."),
  /** Memory that a query may take, in MiB; beyond it spills to the cache's folder. */
  memoryLimitMb: z
    .int()
    .min(64)
    .max(1_048_576)
    .default(1_024)
    .describe("Memory that a query may take, in MiB; beyond it spills to the cache's folder."),
  /** How often tables are compacted, thinned and vacuumed by the service, in milliseconds. */
  upkeepIntervalMs: z
    .int()
    .min(1_000)
    .max(86_400_000)
    .default(300_000)
    .describe("How often tables are compacted, thinned and vacuumed by the service, in milliseconds."),
  /** Bytes of a compacted table file; files come out between three quarters and one and a half of it. */
  compactTargetBytes: z
    .int()
    .min(1_048_576)
    .max(536_870_912)
    .default(268_435_456)
    .describe(
      "Bytes of a compacted table file; files come out between three quarters and one and a half of it.",
    ),
  /** So many files that were added to a day since it was compacted make it due at once. */
  compactFilesMin: z
    .int()
    .min(2)
    .max(100_000)
    .default(32)
    .describe("So many files that were added to a day since it was compacted make it due at once."),
  /** How long nothing must have come to a day with fewer new files before it is compacted, in milliseconds. */
  compactAfterMs: z
    .int()
    .min(0)
    .max(31_536_000_000)
    .default(3_600_000)
    .describe(
      "How long nothing must have come to a day with fewer new files before it is compacted, in milliseconds.",
    ),
  /** How long files that were compacted or dropped stay for --as-of and for those who read just now, in milliseconds. */
  tombstoneRetentionMs: z
    .int()
    .min(3_600_000)
    .max(31_536_000_000)
    .default(604_800_000)
    .describe(
      "How long files that were compacted or dropped stay for --as-of and for those who read just now, in milliseconds.",
    ),
  /** How long a file that no commit names must have been seen before it is deleted, in milliseconds. */
  orphanGraceMs: z
    .int()
    .min(3_600_000)
    .max(31_536_000_000)
    .default(86_400_000)
    .describe(
      "How long a file that no commit names must have been seen before it is deleted, in milliseconds: it may belong to a commit in progress.",
    ),
  /** How long rows are kept, by table; a table that is not named keeps all. */
  retention: z
    .strictObject({
      readings: retentionSchema
        .extend({
          thinAfterDays: z
            .int()
            .min(1)
            .max(36_500)
            .optional()
            .describe(
              "Of days that ended so many days ago, one reading per series and interval is kept; missing: all are.",
            ),
          thinIntervalMs: z
            .int()
            .min(1)
            .max(86_400_000)
            .default(60_000)
            .describe(
              "The interval of which thinning keeps the first reading of each series, in milliseconds.",
            ),
        })
        .prefault({})
        .describe("How long readings are kept."),
      features: retentionSchema.prefault({}).describe("How long feature vectors are kept."),
      predictions: retentionSchema.prefault({}).describe("How long predictions are kept."),
      labels: retentionSchema.prefault({}).describe("How long labels are kept."),
      quarantine: retentionSchema.prefault({}).describe("How long quarantined rows are kept."),
      events: retentionSchema.prefault({}).describe("How long events are kept."),
    })
    .prefault({})
    .describe("How long rows are kept, by table; a table without a limit keeps all."),
  /** Most rows that a query may answer with. */
  resultRowsMax: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(1_000_000)
    .describe("Most rows that a query may answer with."),
  /** How long a query of the command line may take, in milliseconds; 0: as long as it takes. */
  queryTimeoutMs: z
    .int()
    .min(0)
    .max(86_400_000)
    .default(0)
    .describe("How long a query of the command line may take, in milliseconds; 0: as long as it takes."),
});

export type LakeSettings = z.infer<typeof lakeSettingsSchema>;
