import { isObject, valueAt } from "@sluice/shared/codec/payload/dotted-path.ts";
import { showValue } from "@sluice/shared/codec/payload/payload-decoder.ts";
import { decodeText } from "@sluice/shared/codec/payload/text.ts";
import { parseIsoTimeUs } from "@sluice/shared/codec/payload/time.ts";
import { type Label, labelMessageSchema } from "@sluice/shared/contract/label.ts";
import type { RawMessage } from "@sluice/shared/contract/message.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** The label that a message on the label topic carries; a sentence where it is not one. Known from its arrival on. */
export function decodeLabel(message: RawMessage): Label | string {
  const input = parseLabel(message.payload);
  if (typeof input === "string") return input;
  const { data, error } = labelMessageSchema.safeParse(input);
  if (data === undefined) {
    const problems = error.issues.map(({ path, message }) => {
      const keys = path.map(String);
      if (keys.length === 0) return message;
      const value = valueAt(input, keys);
      return value === undefined
        ? `${keys.join(".")} is missing`
        : `${keys.join(".")} is ${showValue(value)}: ${message}`;
    });
    return `The label is not valid: ${problems.join("; ")}.`;
  }
  const [fromUs, toUs] = [parseIsoTimeUs(data.from), parseIsoTimeUs(data.to)];
  if (Number.isNaN(fromUs)) return `The label's "from" is "${data.from}", a time that does not exist.`;
  if (Number.isNaN(toUs)) return `The label's "to" is "${data.to}", a time that does not exist.`;
  if (fromUs >= toUs) return `The label's "from" ${data.from} is not before its "to" ${data.to}.`;
  const { device, label, author, note } = data;
  return {
    offset: message.offset,
    device,
    fromUs,
    toUs,
    label,
    author,
    note,
    knownAtUs: message.receivedAtUs,
  };
}

function parseLabel(payload: Uint8Array): object | string {
  try {
    const value: unknown = JSON.parse(decodeText(payload));
    return isObject(value) ? value : "The label is not a JSON object.";
  } catch (error) {
    if (error instanceof PipelineError) return error.message;
    if (error instanceof SyntaxError) return "The label is not JSON.";
    throw error;
  }
}
