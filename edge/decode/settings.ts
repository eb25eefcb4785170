import { payloadSettingsSchema } from "@sluice/shared/codec/payload/settings.ts";
import { deviceContractSchema } from "@sluice/shared/contract/device-contract.ts";
import { deviceIdSchema } from "@sluice/shared/contract/ids.ts";
import { z } from "zod";
import { checkRoutes } from "./routes.ts";
import { checkUnits } from "./check-units.ts";

const routeSchema = z.strictObject({
  /** An MQTT topic filter; {device} and {metric} name the levels that say which device and metric. */
  topic: z
    .string()
    .min(1)
    .max(1_024)
    .describe(
      "An MQTT topic filter; {device} and {metric} name the levels that say which device and metric.",
    ),
  /** What kind of machine publishes there. */
  deviceType: z
    .string()
    .regex(/^[a-z][a-z0-9_-]{0,63}$/, "a lower-case name such as pump")
    .describe("What kind of machine publishes there."),
  /** The device's name, where the topic does not carry it. */
  device: deviceIdSchema.optional().describe("The device's name, where the topic does not carry it."),
  payload: payloadSettingsSchema.describe("How the payload is read."),
});

const SAMPLE_ROUTES = [
  {
    topic: "plant/{device}/telemetry",
    deviceType: "pump",
    payload: { format: "json", time: { path: "time", unit: "iso" } },
  },
  { topic: "plant/{device}/values/{metric}", deviceType: "pump", payload: { format: "number" } },
];

const SAMPLE_CONTRACTS = [
  {
    deviceType: "pump",
    metrics: {
      pressure: { unit: "bar", min: 0, max: 16, required: true, rateMaxHz: 20, staleAfterMs: 60_000 },
      flow: { unit: "m3/h", sentUnit: "L/min", min: 0 },
      running: { type: "boolean" },
    },
    unknownMetrics: "accept",
    breaker: { windowReadings: 100, violationShareMax: 0.2 },
  },
];

/** How messages become readings. */
export const decodeSettingsSchema = z
  .strictObject({
    /** Which topics are read and how; the first route that matches a topic takes it. */
    routes: z
      .array(routeSchema)
      .min(1)
      .max(1_000)
      .describe("Which topics are read and how; the first route that matches a topic takes it.")
      .meta({ examples: [SAMPLE_ROUTES] }),
    /** Topics whose messages are for other subscribers: stored and passed on, but no readings. */
    ignoredTopics: z
      .array(z.string().min(1).max(1_024))
      .max(1_000)
      .default([])
      .describe("Topics whose messages are for other subscribers: stored and passed on, but no readings.")
      .meta({ examples: [["plant/control"]] }),
    /** What each device type promises to send; what breaks the promise goes to quarantine. */
    contracts: z
      .array(deviceContractSchema)
      .max(1_000)
      .default([])
      .describe("What each device type promises to send; what breaks the promise goes to quarantine.")
      .meta({ examples: [SAMPLE_CONTRACTS] }),
    /** The largest payload that is decoded; larger ones go to quarantine. */
    payloadBytesMax: z
      .int()
      .min(1)
      .max(16_777_216)
      .default(65_536)
      .describe("The largest payload that is decoded; larger ones go to quarantine."),
    /** How far a device's clock may be ahead of ours before its readings go to quarantine. */
    futureSkewMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .default(300_000)
      .describe("How far a device's clock may be ahead of ours before its readings go to quarantine."),
    /** How old a reading may be when it arrives; ten years unless said otherwise. */
    pastMaxMs: z
      .int()
      .min(1_000)
      .max(3_155_760_000_000)
      .default(315_576_000_000)
      .describe("How old a reading may be when it arrives; ten years unless said otherwise."),
    /** How many messages back, up to twice as many, a reading of the same device, metric, time and value is a duplicate; 0 never. Costs about 32 bytes of memory a reading, 32 MiB at most, and that many messages are kept on disk and read again at a start. */
    duplicateWindowMessages: z
      .int()
      .min(0)
      .max(10_000_000)
      .default(50_000)
      .describe(
        "How many messages back, up to twice as many, a reading of the same device, metric, time and value is a duplicate; 0 never. Costs about 32 bytes of memory a reading, 32 MiB at most, and that many messages are kept on disk and read again at a start.",
      ),
    /** How far the gateway's own clock must jump to count as set, not slewed; what came before is corrected in the lake by that. */
    clockStepMinMs: z
      .int()
      .min(100)
      .max(3_600_000)
      .default(1_000)
      .describe(
        "How far the gateway's own clock must jump to count as set, not slewed; what came before is corrected in the lake by that.",
      ),
  })
  .superRefine(({ routes, contracts, ignoredTopics }, context) => {
    const issues = [...checkRoutes(routes, contracts, ignoredTopics), ...checkUnits(contracts)];
    for (const { path, message } of issues) context.addIssue({ code: "custom", path, message });
  });
