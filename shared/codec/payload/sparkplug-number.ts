import type { SparkplugValue } from "./sparkplug-wire.ts";

/** The data types of a metric by their number (Sparkplug 3.0 §6.4.16). */
const TYPES = [
  "Unknown",
  "Int8",
  "Int16",
  "Int32",
  "Int64",
  "UInt8",
  "UInt16",
  "UInt32",
  "UInt64",
  "Float",
  "Double",
  "Boolean",
  "String",
  "DateTime",
  "Text",
  "UUID",
  "DataSet",
  "Bytes",
  "File",
  "Template",
  "PropertySet",
  "PropertySetList",
  "Int8Array",
  "Int16Array",
  "Int32Array",
  "Int64Array",
  "UInt8Array",
  "UInt16Array",
  "UInt32Array",
  "UInt64Array",
  "FloatArray",
  "DoubleArray",
  "BooleanArray",
  "StringArray",
  "DateTimeArray",
] as const;

type SparkplugType = (typeof TYPES)[number];

/** Bits of the whole numbers, negative for the signed ones; DateTime counts milliseconds since the epoch. */
const BITS: Readonly<Partial<Record<SparkplugType, number>>> = {
  Int8: -8,
  Int16: -16,
  Int32: -32,
  Int64: -64,
  UInt8: 8,
  UInt16: 16,
  UInt32: 32,
  UInt64: 64,
  DateTime: 64,
};

/** A value that is to be judged like any other, or the sentence with which it is refused, without its subject. */
export type SparkplugReading =
  | { readonly ok: true; readonly value: number | string }
  | {
      readonly ok: false;
      readonly reason: "payload.malformed" | "value.wrong_type";
      readonly detail: string;
    };

/**
 * The number that a metric's value field says with its data type.
 *
 * Signed numbers travel as unsigned ones in two's complement, cut to their own width or extended to 32 or 64 bits:
 * both are read. A boolean is 1 or 0. Text is given on as text. What lies beyond 2^53 is rounded to a double.
 */
export function readSparkplugValue(value: SparkplugValue, datatype: number): SparkplugReading {
  const type = TYPES[datatype];
  if (type === undefined)
    return wrong("payload.malformed", `has the data type ${datatype}, which Sparkplug does not have`);
  const bits = BITS[type];
  if (bits !== undefined && value.field === "integer") return wholeNumber(value.integer, bits, type);
  if ((type === "Float" || type === "Double") && value.field === "real")
    return { ok: true, value: value.real };
  if (type === "Boolean" && value.field === "boolean") return { ok: true, value: Number(value.boolean) };
  if ((type === "String" || type === "Text" || type === "UUID") && value.field === "text")
    return { ok: true, value: value.text };
  if (bits !== undefined || type === "Float" || type === "Double" || type === "Boolean")
    return wrong("payload.malformed", `is ${type} by its birth, but has ${FIELDS[value.field]}`);
  return wrong("value.wrong_type", `is of the Sparkplug type ${type}, which is no number`);
}

const FIELDS: Readonly<Record<SparkplugValue["field"], string>> = {
  none: "no value",
  other: "a value that is no number",
  integer: "a whole number",
  real: "a floating-point number",
  boolean: "a boolean",
  text: "text",
};

const wrong = (reason: "payload.malformed" | "value.wrong_type", detail: string): SparkplugReading => ({
  ok: false,
  reason,
  detail,
});

/** `bits` is negative for a signed type. `raw` is unsigned: at most 32 bits as a number, at most 64 as a bigint. */
function wholeNumber(raw: number | bigint, bits: number, type: SparkplugType): SparkplugReading {
  const isSigned = bits < 0;
  const width = Math.abs(bits);
  const sentBits = typeof raw === "bigint" ? 64 : 32;
  if (typeof raw === "bigint" && width === 64)
    return { ok: true, value: Number(isSigned ? BigInt.asIntN(64, raw) : raw) };
  const sent = Number(raw);
  if (sent < 2 ** width)
    return { ok: true, value: isSigned && sent >= 2 ** (width - 1) ? sent - 2 ** width : sent };
  const extended = typeof raw === "bigint" ? Number(BigInt.asIntN(64, raw)) : sent - 2 ** sentBits;
  if (isSigned && extended < 0 && extended >= -(2 ** (width - 1))) return { ok: true, value: extended };
  return wrong("payload.malformed", `is ${type} by its birth, but ${raw} does not fit`);
}
