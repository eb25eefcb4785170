import { z } from "zod";
import { metricNameSchema } from "./ids.ts";

/** What one metric of a device type promises to be. */
const metricContractSchema = z
  .strictObject({
    unit: z.string().max(32).optional(),
    /** Smallest and largest value that the sensor can mean; outside goes to quarantine. */
    min: z.number().optional(),
    max: z.number().optional(),
    /** Every message of the device must carry it. */
    required: z.boolean().default(false),
  })
  .refine((metric) => metric.min === undefined || metric.max === undefined || metric.min <= metric.max, {
    message: "min must not be above max",
  });

/** What a device type promises to send. */
export const deviceContractSchema = z.strictObject({
  deviceType: z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, "a lower-case name such as pump"),
  metrics: z.record(metricNameSchema, metricContractSchema),
  /** What happens to a metric that is not listed: stored all the same, or set aside. */
  unknownMetrics: z.enum(["accept", "quarantine"]).default("accept"),
});

export type DeviceContract = z.infer<typeof deviceContractSchema>;
