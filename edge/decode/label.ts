import { parseCheckedJson } from "@sluice/shared/codec/payload/checked-json.ts";
import { parseIsoTimeUs } from "@sluice/shared/codec/payload/time.ts";
import { type Label, labelMessageSchema } from "@sluice/shared/contract/label.ts";
import type { RawMessage } from "@sluice/shared/contract/message.ts";

/** The label that a message on the label topic carries; a sentence where it is not one. Known from its arrival on. */
export function decodeLabel(message: RawMessage): Label | string {
  const data = parseCheckedJson("label", labelMessageSchema, message.payload);
  if (typeof data === "string") return data;
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
