import { z } from "zod";

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
  /** Most rows that a query may answer with. */
  resultRowsMax: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(1_000_000)
    .describe("Most rows that a query may answer with."),
});

export type LakeSettings = z.infer<typeof lakeSettingsSchema>;
