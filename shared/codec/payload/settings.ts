import { z } from "zod";
import { metricNameSchema } from "../../contract/ids.ts";
import { NAME_TEMPLATE } from "./senml-names.ts";
import { TIME_UNITS } from "./time.ts";

const path = z.string().min(1).max(512);
const unit = z
  .enum(TIME_UNITS)
  .describe("What the time counts since the epoch, UTC; iso is ISO 8601 with a zone.");

/** JSON: named fields, or every field, of one record or of many. */
const jsonPayloadSchema = z
  .strictObject({
    format: z.literal("json"),
    /** Where the records are, by dotted path; arrays on the way are gone through. Without it the payload is the record. */
    records: path
      .optional()
      .describe(
        "Where the records are, by dotted path; arrays on the way are gone through. Without it the payload is the record.",
      ),
    /** Metric names and the dotted path of each in a record; without it every field of a record is a metric. */
    metrics: z
      .record(metricNameSchema, path)
      .optional()
      .describe(
        "Metric names and the dotted path of each in a record; without it every field of a record is a metric.",
      ),
    /** The dotted path of the one value of a record, where the topic names the metric. */
    value: path
      .optional()
      .describe("The dotted path of the one value of a record, where the topic names the metric."),
    /** The dotted path of the device's name in each record or, where it is not there, in the message. */
    device: path
      .optional()
      .describe(
        "The dotted path of the device's name in each record or, where it is not there, in the message.",
      ),
    /** Metric names and the dotted path of the unit of each in a record, where the payload names units. */
    units: z
      .record(metricNameSchema, path)
      .optional()
      .describe(
        "Metric names and the dotted path of the unit of each in a record, where the payload names units.",
      ),
    /** The dotted path of the unit that all values of a record have, but for those that units lists. */
    unit: path
      .optional()
      .describe(
        "The dotted path of the unit that all values of a record have, but for those that units lists.",
      ),
    /** Dotted paths of fields that are no metrics, where every field is taken. */
    ignore: z
      .array(path)
      .max(256)
      .default([])
      .describe("Dotted paths of fields that are no metrics, where every field is taken."),
    /** Where the event time is; without it readings get the time of arrival. */
    time: z
      .strictObject({
        path: path.describe("The dotted path of the event time."),
        unit,
        /** Whether the path begins at each record or at the whole message. */
        of: z
          .enum(["record", "message"])
          .default("record")
          .describe("Whether the path begins at each record or at the whole message."),
      })
      .optional()
      .describe("Where the event time is; without it readings get the time of arrival."),
  })
  .superRefine((json, context) => {
    const refuse = (field: string, message: string): void =>
      context.addIssue({ code: "custom", path: [field], message });
    if (json.metrics !== undefined && json.value !== undefined)
      refuse("value", "names the one value of a record, metrics several: give one of the two");
    if (json.ignore.length > 0 && (json.metrics ?? json.value) !== undefined)
      refuse("ignore", "has no effect where metrics or value say which fields are taken");
    if (json.value !== undefined && json.units !== undefined)
      refuse("units", "names units by metric, but the topic names the metric: give unit");
    const unknown = Object.keys(json.units ?? {}).filter(
      (metric) => json.metrics !== undefined && !Object.hasOwn(json.metrics, metric),
    );
    if (unknown.length > 0) refuse("units", `has ${unknown.join(", ")}, which metrics does not list`);
  });

/** The payload is one number as text; the topic names the metric. */
const numberPayloadSchema = z.strictObject({ format: z.literal("number") });

/** Lines of fields (RFC 4180); each line is a record. */
const csvPayloadSchema = z
  .strictObject({
    format: z.literal("csv"),
    /** The names of the columns in order; without it the first line of each message names them. */
    columns: z
      .array(metricNameSchema)
      .min(1)
      .max(1_024)
      .optional()
      .describe("The names of the columns in order; without it the first line of each message names them."),
    /** What separates two fields. */
    delimiter: z.enum([",", ";", "\t", "|"]).default(",").describe("What separates two fields."),
    /** Columns that are no metrics. */
    ignore: z.array(metricNameSchema).max(1_024).default([]).describe("Columns that are no metrics."),
    /** Which column has the event time; without it readings get the time of arrival. */
    time: z
      .strictObject({ column: metricNameSchema.describe("The column of the event time."), unit })
      .optional()
      .describe("Which column has the event time; without it readings get the time of arrival."),
  })
  .superRefine(({ columns, time }, context) => {
    if (columns === undefined) return;
    if (new Set(columns).size !== columns.length)
      context.addIssue({ code: "custom", path: ["columns"], message: "names a column twice" });
    if (time !== undefined && !columns.includes(time.column))
      context.addIssue({
        code: "custom",
        path: ["time", "column"],
        message: `is not one of ${columns.join(", ")}`,
      });
  });

/** Sensor Measurement Lists (RFC 8428), in JSON or in CBOR. */
const senmlPayloadSchema = z.strictObject({
  format: z.enum(["senml-json", "senml-cbor"]),
  /** What a name means: the metric, or a template such as "{device}/{metric}", split where the text between them is last. */
  name: z
    .union([z.literal("{metric}"), z.string().max(256).regex(NAME_TEMPLATE, "such as {device}/{metric}")])
    .default("{metric}")
    .describe(
      'What a name means: the metric, or a template such as "{device}/{metric}", split where the text between them is last.',
    ),
  /** What is put behind a metric's name for the sum of its values over time. */
  sumSuffix: z
    .string()
    .regex(/^[A-Za-z0-9:./_-]{1,32}$/, '1 to 32 letters, digits and any of "-:./_"')
    .default(".sum")
    .describe("What is put behind a metric's name for the sum of its values over time."),
});

const sparkplugName = (levels: readonly string[], example: string): z.ZodString =>
  z
    .string()
    .max(256)
    .regex(
      new RegExp(
        `^(?:[^{}/+#]|\\{(?:${levels.join("|")})\\})*\\{${levels.at(-1)}\\}(?:[^{}/+#]|\\{(?:${levels.join("|")})\\})*$`,
      ),
      `such as ${example}`,
    );

/** Sparkplug B (Eclipse Sparkplug 3.0), on topics such as "spBv1.0/#". */
const sparkplugPayloadSchema = z.strictObject({
  format: z.literal("sparkplug-b"),
  /** The device's name for the metrics of an edge node itself, made of {group} and {node}. */
  nodeName: sparkplugName(["group", "node"], "{group}.{node}")
    .default("{group}.{node}")
    .describe("The device's name for the metrics of an edge node itself, made of {group} and {node}."),
  /** The device's name for the metrics of a device, made of {group}, {node} and {device}. */
  deviceName: sparkplugName(["group", "node", "device"], "{group}.{node}.{device}")
    .default("{group}.{node}.{device}")
    .describe("The device's name for the metrics of a device, made of {group}, {node} and {device}."),
  /** The property of a metric that names its unit in births, "engUnit" with many; without it none is read. */
  unitProperty: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe(
      'The property of a metric that names its unit in births, "engUnit" with many; without it none is read.',
    ),
  /** Metrics that are no readings, beside bdSeq, Node Control/* and Device Control/*; a "*" at the end stands for any rest. */
  ignore: z
    .array(z.string().min(1).max(512))
    .max(256)
    .default([])
    .describe(
      'Metrics that are no readings, beside bdSeq, Node Control/* and Device Control/*; a "*" at the end stands for any rest.',
    ),
  /** Whether to ask an edge node for a new birth where its data cannot be understood or messages are missing. */
  rebirth: z
    .boolean()
    .default(true)
    .describe(
      "Whether to ask an edge node for a new birth where its data cannot be understood or messages are missing.",
    ),
});

/** How a route's payloads are read: one entry per format. */
export const payloadSettingsSchema = z.discriminatedUnion("format", [
  jsonPayloadSchema,
  numberPayloadSchema,
  csvPayloadSchema,
  senmlPayloadSchema,
  sparkplugPayloadSchema,
]);

export type PayloadSettings = z.infer<typeof payloadSettingsSchema>;
export type JsonPayloadSettings = z.infer<typeof jsonPayloadSchema>;
export type CsvPayloadSettings = z.infer<typeof csvPayloadSchema>;
export type SenmlPayloadSettings = z.infer<typeof senmlPayloadSchema>;
export type SparkplugPayloadSettings = z.infer<typeof sparkplugPayloadSchema>;
