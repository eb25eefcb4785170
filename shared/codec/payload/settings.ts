import { z } from "zod";
import { metricNameSchema } from "../../contract/ids.ts";
import { COMPRESSIONS } from "./compression.ts";
import { NAME_TEMPLATE } from "./senml-names.ts";
import { TIME_UNITS } from "./time.ts";

const path = z.string().min(1).max(512);
const unit = z
  .enum(TIME_UNITS)
  .describe("What the time counts since the epoch, UTC; iso is ISO 8601 with a zone.");

/** How the payloads of any format are packed. */
const compression = {
  /** How payloads are packed; auto unpacks what begins like gzip or zstd. */
  compression: z
    .enum(COMPRESSIONS)
    .default("none")
    .describe("How payloads are packed; auto unpacks what begins like gzip or zstd."),
  /** The largest payload that is unpacked; larger ones go to quarantine, however small they were packed. */
  unpackedBytesMax: z
    .int()
    .min(1)
    .max(67_108_864)
    .default(1_048_576)
    .describe(
      "The largest payload that is unpacked; larger ones go to quarantine, however small they were packed.",
    ),
};

/** JSON: named fields, or every field, of one record or of many. */
const jsonPayloadSchema = z
  .strictObject({
    format: z.literal("json"),
    ...compression,
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
const numberPayloadSchema = z.strictObject({ format: z.literal("number"), ...compression });

/** Lines of fields (RFC 4180); each line is a record. */
const csvPayloadSchema = z
  .strictObject({
    format: z.literal("csv"),
    ...compression,
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
  ...compression,
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
  ...compression,
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

const rateHz = z.number().min(0.000_001).max(1_000_000_000);

/** What samples of a waveform become. */
const samples = {
  /** What a sample is multiplied by. */
  scale: z.number().default(1).describe("What a sample is multiplied by."),
  /** What is added to a sample after that. */
  offset: z.number().default(0).describe("What is added to a sample after that."),
  /** Most samples of a message, those of all its metrics together. */
  samplesMax: z
    .int()
    .min(1)
    .max(1_048_576)
    .default(16_384)
    .describe("Most samples of a message, those of all its metrics together."),
};

/** Evenly spaced samples as arrays in JSON. */
const waveformJsonPayloadSchema = z
  .strictObject({
    format: z.literal("waveform-json"),
    ...compression,
    /** The dotted path of the array of samples, where the topic names the metric. */
    samples: path
      .optional()
      .describe("The dotted path of the array of samples, where the topic names the metric."),
    /** Metric names and the dotted path of the array of samples of each, all of one length. */
    metrics: z
      .record(metricNameSchema, path)
      .refine((metrics) => Object.keys(metrics).length > 0, "names no metric")
      .optional()
      .describe("Metric names and the dotted path of the array of samples of each, all of one length."),
    /** The dotted path of the device's name, where the message names it. */
    device: path.optional().describe("The dotted path of the device's name, where the message names it."),
    /** Samples per second, where it is always the same. */
    rateHz: rateHz.optional().describe("Samples per second, where it is always the same."),
    /** The dotted path of the samples per second, where the message says it. */
    rate: path.optional().describe("The dotted path of the samples per second, where the message says it."),
    /** Where the time between two samples is, where the message says that. */
    interval: z
      .strictObject({
        path: path.describe("The dotted path of the time between two samples."),
        unit: z.enum(["s", "ms", "us", "ns"]).describe("What the time between two samples counts."),
      })
      .optional()
      .describe("Where the time between two samples is, where the message says that."),
    /** Where the time of the first sample is; without it the last sample gets the time of arrival. */
    start: z
      .strictObject({ path: path.describe("The dotted path of the time of the first sample."), unit })
      .optional()
      .describe(
        "Where the time of the first sample is; without it the last sample gets the time of arrival.",
      ),
    ...samples,
  })
  .superRefine((waveform, context) => {
    const given = (fields: readonly ("samples" | "metrics" | "rateHz" | "rate" | "interval")[]): number =>
      fields.filter((field) => waveform[field] !== undefined).length;
    if (given(["samples", "metrics"]) !== 1)
      context.addIssue({ code: "custom", path: ["samples"], message: "give one of samples and metrics" });
    if (given(["rateHz", "rate", "interval"]) !== 1)
      context.addIssue({
        code: "custom",
        path: ["rateHz"],
        message: "give one of rateHz, rate and interval",
      });
  });

/** Evenly spaced samples as bare numbers. */
const waveformBinaryPayloadSchema = z
  .strictObject({
    format: z.literal("waveform-binary"),
    ...compression,
    /** What each sample is. */
    type: z.enum(["int16", "int32", "float32", "float64"]).describe("What each sample is."),
    /** Which byte of a number comes first. */
    byteOrder: z
      .enum(["little-endian", "big-endian"])
      .default("little-endian")
      .describe("Which byte of a number comes first."),
    /** The metrics whose samples come in turn; without it there is one, which the topic names. */
    channels: z
      .array(metricNameSchema)
      .min(1)
      .max(64)
      .refine((channels) => new Set(channels).size === channels.length, "names a metric twice")
      .optional()
      .describe("The metrics whose samples come in turn; without it there is one, which the topic names."),
    /** Samples per second of each metric. */
    rateHz: rateHz.describe("Samples per second of each metric."),
    /** The time of the first sample as eight bytes before the samples; without it the last gets the time of arrival. */
    start: z
      .strictObject({
        unit: z.enum(["ms", "us", "ns"]).describe("What the time counts since the epoch, UTC."),
      })
      .optional()
      .describe(
        "The time of the first sample as eight bytes before the samples; without it the last gets the time of arrival.",
      ),
    ...samples,
  })
  .refine((waveform) => waveform.compression !== "auto", {
    path: ["compression"],
    message: "cannot be auto: bare numbers may begin like gzip or zstd",
  });

/** How a route's payloads are read: one entry per format. */
export const payloadSettingsSchema = z.discriminatedUnion("format", [
  jsonPayloadSchema,
  numberPayloadSchema,
  csvPayloadSchema,
  senmlPayloadSchema,
  sparkplugPayloadSchema,
  waveformJsonPayloadSchema,
  waveformBinaryPayloadSchema,
]);

export type PayloadSettings = z.infer<typeof payloadSettingsSchema>;
export type JsonPayloadSettings = z.infer<typeof jsonPayloadSchema>;
export type CsvPayloadSettings = z.infer<typeof csvPayloadSchema>;
export type SenmlPayloadSettings = z.infer<typeof senmlPayloadSchema>;
export type SparkplugPayloadSettings = z.infer<typeof sparkplugPayloadSchema>;
export type WaveformJsonPayloadSettings = z.infer<typeof waveformJsonPayloadSchema>;
export type WaveformBinaryPayloadSettings = z.infer<typeof waveformBinaryPayloadSchema>;
