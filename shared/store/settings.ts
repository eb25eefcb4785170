import { z } from "zod";

const folderSettingsSchema = z.strictObject({
  /** A folder of this machine or of a network file system that has hard links. */
  kind: z
    .literal("folder")
    .describe("A folder of this machine or of a network file system that has hard links."),
  /** The lake's folder; it is made if only its last level is missing. */
  path: z
    .string()
    .min(1)
    .describe("The lake's folder; it is made if only its last level is missing.")
    .meta({ examples: ["./lake"] }),
});

const s3SettingsSchema = z.strictObject({
  /** A bucket of an S3-compatible object store that honours conditional puts. */
  kind: z.literal("s3").describe("A bucket of an S3-compatible object store that honours conditional puts."),
  /** The store's URL; left out, it is that of AWS in the region. */
  endpoint: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("The store's URL; left out, it is that of AWS in the region.")
    .meta({ examples: ["https://s3.example.org"] }),
  /** The bucket's region; stores without regions take any. */
  region: z
    .string()
    .min(1)
    .default("us-east-1")
    .describe("The bucket's region; stores without regions take any."),
  /** The bucket's name. */
  bucket: z
    .string()
    .min(1)
    .describe("The bucket's name.")
    .meta({ examples: ["sluice"] }),
  /** What every key begins with, so that a bucket can hold several lakes. */
  prefix: z
    .string()
    .max(128)
    .regex(
      /^([A-Za-z0-9][A-Za-z0-9._=-]*\/)*([A-Za-z0-9][A-Za-z0-9._=-]*)?$/,
      "levels of letters, digits and ._=- joined by slashes",
    )
    .default("")
    .describe("What every key begins with, so that a bucket can hold several lakes."),
  /** The access key; left out, the AWS default chain finds one (environment, profile, instance role). */
  accessKeyId: z
    .string()
    .min(1)
    .optional()
    .describe(
      "The access key; left out, the AWS default chain finds one (environment, profile, instance role).",
    ),
  /** The access key's secret; give both or neither. */
  secretAccessKey: z.string().min(1).optional().describe("The access key's secret; give both or neither."),
  /** Whether the bucket is part of the path, as most stores but AWS want it. */
  forcePathStyle: z
    .boolean()
    .default(true)
    .describe("Whether the bucket is part of the path, as most stores but AWS want it."),
  /** How long a connection may take to open, in milliseconds. */
  connectTimeoutMs: z
    .int()
    .min(100)
    .max(120_000)
    .default(5_000)
    .describe("How long a connection may take to open, in milliseconds."),
  /** How long one try of a request may take, its body included, in milliseconds. */
  timeoutMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(60_000)
    .describe("How long one try of a request may take, its body included, in milliseconds."),
  /** How often a request is tried before its caller hears of the failure. */
  attemptsMax: z
    .int()
    .min(1)
    .max(20)
    .default(3)
    .describe("How often a request is tried before its caller hears of the failure."),
  /** The first wait between tries, in milliseconds; each further one is twice as long. */
  retryBaseMs: z
    .int()
    .min(1)
    .max(60_000)
    .default(200)
    .describe("The first wait between tries, in milliseconds; each further one is twice as long."),
  /** The longest wait between tries, in milliseconds. */
  retryMaxMs: z
    .int()
    .min(1)
    .max(600_000)
    .default(5_000)
    .describe("The longest wait between tries, in milliseconds."),
  /** How many connections may be open at once. */
  connectionsMax: z.int().min(1).max(1_000).default(32).describe("How many connections may be open at once."),
});

/** Names the key that is missing, so that no message shows the one that is there. */
function checkKeyPair(context: z.core.ParsePayload<z.infer<typeof s3SettingsSchema>>): void {
  const { accessKeyId, secretAccessKey } = context.value;
  if ((accessKeyId === undefined) === (secretAccessKey === undefined)) return;
  const path = accessKeyId === undefined ? "accessKeyId" : "secretAccessKey";
  const message = "give accessKeyId and secretAccessKey together, or neither";
  context.issues.push({ code: "custom", path: [path], message, input: undefined });
}

/** Where the lake is. */
export const storeSettingsSchema = z.discriminatedUnion("kind", [
  folderSettingsSchema,
  s3SettingsSchema.check(checkKeyPair),
]);

export type S3Settings = z.infer<typeof s3SettingsSchema>;
export type StoreSettings = z.infer<typeof storeSettingsSchema>;
