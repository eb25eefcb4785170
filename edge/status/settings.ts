import { z } from "zod";

/** Where health and metrics are served. */
export const statusSettingsSchema = z.strictObject({
  /** The address to listen on; other than loopback only behind something that asks who is there. */
  host: z
    .string()
    .default("127.0.0.1")
    .describe("The address to listen on; other than loopback only behind something that asks who is there."),
  /** The port of /status, /healthz and /metrics; 0 takes a free one. */
  port: z
    .int()
    .min(0)
    .max(65_535)
    .default(9_464)
    .describe("The port of /status, /healthz and /metrics; 0 takes a free one."),
});

export type StatusSettings = z.infer<typeof statusSettingsSchema>;
