import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodePayload } from "./calls.ts";

const formats = fc.constantFrom(
  { format: "json" },
  { format: "json", time: { path: "t", unit: "iso" }, metrics: { v: "a.b" } },
  { format: "json", records: "a.b" },
  { format: "number" },
  { format: "csv" },
  { format: "csv", columns: ["a", "b"], time: { column: "a", unit: "ns" } },
);

const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.json().map((text) => new TextEncoder().encode(text)),
  fc
    .string({
      unit: fc.constantFrom("{", "}", "[", "]", '"', ":", ",", "1", "e", "-", "a", "\n", "\r", "\\"),
    })
    .map((text) => new TextEncoder().encode(text)),
);

/** "decoded", or the sentence with which the payload was refused. */
function outcome(settings: unknown, payload: Uint8Array): string {
  try {
    decodePayload(settings, payload, "m");
    return "decoded";
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== "payload.malformed") throw error;
    return error.message;
  }
}

test("any bytes are decoded or refused as malformed in one sentence; nothing else is thrown", () => {
  fc.assert(
    fc.property(formats, payloads, (settings, payload) => {
      expect(outcome(settings, payload)).toMatch(/^(decoded|[A-Z].*\.)$/s);
    }),
    { numRuns: 3_000 },
  );
});

test("whatever JSON says as numbers is given on as the same numbers", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })), (values) => {
      const payload = JSON.stringify(Object.fromEntries(values.map((value, i) => [`m${i}`, value])));
      const calls = decodePayload({ format: "json" }, payload).slice(1);
      expect(calls).toEqual(values.map((value, i) => ["value", `m${i}`, value === 0 ? 0 : value]));
    }),
  );
});

test("fields that are quoted come back from a line as they were", () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 2, maxLength: 4 }), (fields) => {
      const named = fields.map((field) => `x${field}`);
      const line = named.map((field) => `"${field.replaceAll('"', '""')}"`).join(",");
      const calls = decodePayload({ format: "csv", columns: named.map((_, i) => `c${i}`) }, line).slice(1);
      expect(calls).toEqual(named.map((field, i) => ["value", `c${i}`, field.trim()]));
    }),
  );
});
