import { z } from "zod";

/** Which of its values are in the table already, from when the message was decoded first; left out for one that is new. */
const stored = z.string().optional();

/** What stands on the first line of a spooled message, as JSON; the body follows after a line feed. */
const spoolHeaderSchema = z.discriminatedUnion("kind", [
  /** The body is a JSON array of SpoolRow. */
  z.strictObject({
    kind: z.literal("rows"),
    deviceType: z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/),
    /** The file's name, to be shown. */
    source: z.string().max(255),
    /** The place of the first row in the file, from 1. */
    firstRow: z.int().min(1),
    isLast: z.boolean(),
    stored,
  }),
  /** The body is the payload of a message that came before. */
  z.strictObject({
    kind: z.literal("message"),
    client: z.string().max(65_535),
    topic: z.string().min(1).max(65_535),
    receivedAtUs: z.int().min(0),
    stored,
  }),
]);

export type SpoolHeader = z.infer<typeof spoolHeaderSchema>;

/**
 * A row of a file: the device; its event time in microseconds since the epoch, as text where it is none, null where
 * the file has no time; and values by metric, as they stand in the file.
 */
export type SpoolRow = readonly [
  device: string,
  measuredAtUs: number | string | null,
  values: Readonly<Record<string, unknown>>,
];

const LINE_FEED = 10;

export function encodeSpooled(header: SpoolHeader, body: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`${JSON.stringify(header)}\n`);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  return bytes;
}

/** Undefined where the bytes are not a spooled message. */
export function decodeSpooled(
  bytes: Uint8Array,
): { readonly header: SpoolHeader; readonly body: Uint8Array } | undefined {
  const end = bytes.indexOf(LINE_FEED);
  if (end === -1) return undefined;
  try {
    const header = spoolHeaderSchema.parse(JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))));
    return { header, body: bytes.subarray(end + 1) };
  } catch {
    return undefined;
  }
}
