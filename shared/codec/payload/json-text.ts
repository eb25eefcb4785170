import { jsonMistake } from "./json-mistake.ts";
import { malformed, showValue } from "./payload-decoder.ts";
import { decodeText } from "./text.ts";

/** The value of a payload that is JSON (RFC 8259) in UTF-8. Throws "payload.malformed" with the place of the mistake. */
export function parseJson(payload: Uint8Array): unknown {
  const text = decodeText(payload);
  try {
    return JSON.parse(text);
  } catch {
    const at = jsonMistake(text);
    const near = text.slice(Math.max(0, at - 12), at + 12);
    throw malformed(`The payload is not JSON at character ${at}, near ${showValue(near)}.`);
  }
}
