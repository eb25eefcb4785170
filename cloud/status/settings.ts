import { z } from "zod";

/** Where the cloud's page is served. */
export const statusSettingsSchema = z.strictObject({
  /** The address to listen on; other than loopback only behind something that asks who is there. */
  host: z
    .string()
    .default("127.0.0.1")
    .describe("The address to listen on; other than loopback only behind something that asks who is there."),
  /** The page's port; 0 takes a free one. */
  port: z.int().min(0).max(65_535).default(8_080).describe("The page's port; 0 takes a free one."),
});

export type StatusSettings = z.infer<typeof statusSettingsSchema>;
