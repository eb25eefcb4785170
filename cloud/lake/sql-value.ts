import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
} from "@duckdb/node-api";
import { isoTime } from "@sluice/shared/runtime/clock.ts";

/**
 * A value of a query's answer as plain JavaScript: NULL is undefined, a whole number is a number where that is exact
 * and text where not, a time is ISO 8601 with microseconds in UTC, bytes are hex, lists are arrays, structs are
 * objects, maps are arrays of pairs. Everything else is the text that the engine prints.
 */
export function plainValue(value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  if (typeof value === "bigint") return exactNumber(value, String(value));
  if (typeof value !== "object") return value;
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue)
    return isoMicroseconds(value.micros) ?? String(value);
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue)
    return value.items.map(plainValue);
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString("hex");
  if (value instanceof DuckDBDecimalValue) return exactNumber(value.value, String(value));
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([name, item]) => [name, plainValue(item)]));
  if (value instanceof DuckDBMapValue)
    return value.entries.map((entry) => [plainValue(entry.key), plainValue(entry.value)]);
  // oxlint-disable-next-line typescript/no-base-to-string -- every value class of the engine prints itself
  return String(value);
}

/** `text` as a number where its digits fit into a double. */
function exactNumber(digits: bigint, text: string): number | string {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return digits <= limit && digits >= -limit ? Number(text) : text;
}

/** ISO 8601 with six decimals; undefined for infinity and for years that a Date does not know. */
function isoMicroseconds(micros: bigint): string | undefined {
  const below = ((micros % 1_000n) + 1_000n) % 1_000n;
  const wholeMs = Number((micros - below) / 1_000n);
  if (Math.abs(wholeMs) > 8_640_000_000_000_000) return undefined;
  return `${isoTime(wholeMs * 1_000).slice(0, -1)}${String(below).padStart(3, "0")}Z`;
}
