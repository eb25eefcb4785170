import { z } from "zod";
import { metricNameSchema } from "./ids.ts";

/** Most metrics of one contract: what is remembered for each device grows with them. */
const METRICS_MAX = 4_096;

const unitSchema = z.string().min(1).max(32);

/** What one metric of a device type promises to be. */
const metricContractSchema = z
  .strictObject({
    /** The unit in which it is stored; a payload that names another one is converted, or refused. */
    unit: unitSchema.optional(),
    /** The unit in which devices send it where the payload names none; `unit` unless it says otherwise. */
    sentUnit: unitSchema.optional(),
    /** float: any finite number. integer: a whole one. boolean: true and false, or 1 and 0; stored as 1 and 0. */
    type: z.enum(["float", "integer", "boolean"]).default("float"),
    /** Smallest and largest value that the sensor can mean, in `unit`; outside goes to quarantine. */
    min: z.number().optional(),
    max: z.number().optional(),
    /** Most readings a second, by event time; what is more is stored but withheld from features and models. */
    rateMaxHz: z.number().min(0.000_001).max(1_000_000).optional(),
    /** Silent for longer than this, by arrival time, is an event; so is being back. */
    staleAfterMs: z.int().min(100).max(2_678_400_000).optional(),
    /** Every message of the device must carry it. */
    required: z.boolean().default(false),
  })
  .refine((metric) => metric.min === undefined || metric.max === undefined || metric.min <= metric.max, {
    message: "min must not be above max",
  })
  .refine((metric) => metric.sentUnit === undefined || metric.unit !== undefined, {
    message: "sentUnit needs a unit to convert to",
  })
  .refine((metric) => metric.type !== "boolean" || (metric.min ?? metric.max ?? metric.unit) === undefined, {
    message: "a boolean has no unit, min or max",
  });

/** When a device is no longer trusted, and when it is again. */
const breakerSchema = z
  .strictObject({
    /** How many of the device's last values are looked at, good and bad. */
    windowReadings: z.int().min(1).max(1_024).default(100),
    /** Opens when more than this share of them broke the contract. */
    violationShareMax: z.number().min(0).lt(1).default(0.2),
    /** Closes when this share of them or less did; half of violationShareMax unless it says otherwise. */
    closeShareMax: z.number().min(0).lt(1).optional(),
  })
  .refine(({ closeShareMax = 0, violationShareMax }) => closeShareMax <= violationShareMax, {
    message: "closeShareMax must not be above violationShareMax",
  });

/** What a device type promises to send. */
export const deviceContractSchema = z.strictObject({
  deviceType: z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, "a lower-case name such as pump"),
  metrics: z
    .record(metricNameSchema, metricContractSchema)
    .refine((metrics) => Object.keys(metrics).length <= METRICS_MAX, {
      message: `a contract has at most ${METRICS_MAX} metrics`,
    }),
  /** What happens to a metric that is not listed: stored all the same and recorded as an event, or set aside. */
  unknownMetrics: z.enum(["accept", "quarantine"]).default("accept"),
  /** Keeps a device that breaks its contract too often from features and models; none unless it is given. */
  breaker: breakerSchema.optional(),
});

export type DeviceContract = z.infer<typeof deviceContractSchema>;

export type BreakerSettings = z.infer<typeof breakerSchema>;
