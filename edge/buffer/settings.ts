import { z } from "zod";

/** Where messages are kept until the lake has them, and how much of them. */
export const bufferSettingsSchema = z.strictObject({
  /** The buffer's folder, on a disk that keeps what it has synced; relative paths start at this file. */
  dir: z
    .string()
    .min(1)
    .describe(
      "The buffer's folder, on a disk that keeps what it has synced; relative paths start at this file.",
    )
    .meta({ examples: ["data"] }),
  /** Size of a segment file: the unit in which delivered messages are deleted and damage is contained. */
  segmentBytesMax: z
    .int()
    .min(65_536)
    .max(1_073_741_824)
    .default(33_554_432)
    .describe(
      "Size of a segment file: the unit in which delivered messages are deleted and damage is contained.",
    ),
  /** Most bytes that one fsync covers: bounds how long a commit takes. */
  groupBytesMax: z
    .int()
    .min(4_096)
    .max(67_108_864)
    .default(4_194_304)
    .describe("Most bytes that one fsync covers: bounds how long a commit takes."),
  /** Most bytes that may wait for their fsync; a publisher over it is refused and sends again later. */
  waitingBytesMax: z
    .int()
    .min(4_096)
    .max(1_073_741_824)
    .default(33_554_432)
    .describe(
      "Most bytes that may wait for their fsync; a publisher over it is refused and sends again later.",
    ),
  /** Most bytes on disk; at it new messages are refused, and nothing that was acknowledged is touched. */
  diskBytesMax: z
    .int()
    .min(16_777_216)
    .default(4_294_967_296)
    .describe(
      "Most bytes on disk; at it new messages are refused, and nothing that was acknowledged is touched.",
    ),
  /** How many messages back a redelivery is recognised; each costs about 100 bytes of memory. */
  redeliveryEntriesMax: z
    .int()
    .min(0)
    .max(10_000_000)
    .default(100_000)
    .describe("How many messages back a redelivery is recognised; each costs about 100 bytes of memory."),
});
