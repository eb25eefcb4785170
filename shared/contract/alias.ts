import { z } from "zod";
import { keyNameSchema } from "./ids.ts";

/** One entry of a model's alias history: which version a name meant from then on, who said so and why. */
export const aliasEntrySchema = z.strictObject({
  formatVersion: z.literal(1),
  model: keyNameSchema,
  /** Entries are numbered from 1, without gaps. */
  entry: z.int().min(1),
  alias: keyNameSchema,
  version: z.int().min(1),
  /** What the alias meant before; undefined the first time. */
  fromVersion: z.int().min(1).optional(),
  who: z.string().min(1).max(128),
  why: z.string().max(4_000),
  atUs: z.int(),
  /** SHA-256 of the bytes of the entry before, so that the past cannot be rewritten unseen; undefined in the first. */
  previousSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/, "a SHA-256 in hex")
    .optional(),
});

export type AliasEntry = z.infer<typeof aliasEntrySchema>;

/** The version that is live. */
export const CHAMPION = "champion";

/** What was champion before the champion of now. Follows from the history and cannot be set. */
export const PREVIOUS = "previous";
