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
  /** File with the key that bodies in the buffer are encrypted with: 32 bytes in hex or base64, for the gateway's user only. */
  encryptionKeyFile: z
    .string()
    .min(1)
    .optional()
    .describe(
      "File with the key that bodies in the buffer are encrypted with: 32 bytes in hex or base64, for the gateway's user only.",
    )
    .meta({ examples: ["buffer.key"] }),
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
  /** Most bytes on disk, set-aside damaged files included; `whenFull` says what happens as they are used up. */
  diskBytesMax: z
    .int()
    .min(16_777_216)
    .default(4_294_967_296)
    .describe(
      "Most bytes on disk, set-aside damaged files included; `whenFull` says what happens as they are used up.",
    ),
  /**
   * As the disk budget is used up: "shed" thins out the oldest readings outside of anomalous windows and records it,
   * "refuse" takes no new messages and gives up nothing that was acknowledged.
   *
   * The default keeps measuring and raising alarms: history with less detail costs less than a machine that nobody
   * watches, and every reading that goes is counted.
   */
  whenFull: z
    .enum(["shed", "refuse"])
    .default("shed")
    .describe(
      '"shed" thins out the oldest readings outside of anomalous windows as the disk budget is used up, and records it; "refuse" takes no new messages and gives up nothing that was acknowledged.',
    ),
  /** How far readings are thinned out before whole batches go: one of so many of each series is left, a power of two. */
  thinningMax: z
    .int()
    .min(1)
    .max(256)
    .default(16)
    .refine((value) => Number.isInteger(Math.log2(value)), "is a power of two")
    .describe(
      "How far readings are thinned out before whole batches go: one of so many of each series is left, a power of two.",
    ),
  /** Most bytes of refused messages that are kept whole, to be decoded again, in an eighth of the disk budget at most; the oldest make room. */
  quarantineBytesMax: z
    .int()
    .min(65_536)
    .max(4_294_967_296)
    .default(67_108_864)
    .describe(
      "Most bytes of refused messages that are kept whole, to be decoded again, in an eighth of the disk budget at most; the oldest make room.",
    ),
  /** How many messages back a redelivery is recognised; each costs about 100 bytes of memory, and that many messages stay on disk after delivery, in an eighth of the disk budget at most, so that a restart knows them. */
  redeliveryEntriesMax: z
    .int()
    .min(0)
    .max(10_000_000)
    .default(100_000)
    .describe(
      "How many messages back a redelivery is recognised; each costs about 100 bytes of memory, and that many messages stay on disk after delivery, in an eighth of the disk budget at most, so that a restart knows them.",
    ),
});
