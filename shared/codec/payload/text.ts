import { isUtf8 } from "node:buffer";
import { malformed } from "./payload-decoder.ts";

/** The text of a payload, without a byte order mark. Throws "payload.malformed" at the first byte that is not UTF-8. */
export function decodeText(payload: Uint8Array): string {
  if (!isUtf8(payload)) throw malformed(`The payload is not UTF-8 at byte ${validBytes(payload)}.`);
  const bom = payload[0] === 0xef && payload[1] === 0xbb && payload[2] === 0xbf ? 3 : 0;
  return Buffer.from(payload.buffer, payload.byteOffset + bom, payload.byteLength - bom).toString("utf8");
}

/** How many bytes at the start are whole UTF-8 characters, by halving: a sequence cut short at the end is not one. */
function validBytes(payload: Uint8Array): number {
  let valid = 0;
  let end = payload.length;
  while (valid < end) {
    const middle = (valid + end + 1) >>> 1;
    if (startsValid(payload, middle)) valid = middle;
    else end = middle - 1;
  }
  while (valid > 0 && !isUtf8(payload.subarray(0, valid))) valid -= 1;
  return valid;
}

/** Whether the first bytes are UTF-8, the last character perhaps cut (at most three bytes of it). */
function startsValid(payload: Uint8Array, bytes: number): boolean {
  for (let cut = 0; cut <= Math.min(3, bytes); cut++)
    if (isUtf8(payload.subarray(0, bytes - cut)))
      return cut === 0 || !hasWholeCharacter(payload.subarray(bytes - cut, bytes));
  return false;
}

/** Whether bytes after valid text could not be the beginning of one more character. */
function hasWholeCharacter(rest: Uint8Array): boolean {
  const lead = rest[0] ?? 0;
  const length = lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
  return rest.length >= length || rest.subarray(1).some((byte) => (byte & 0xc0) !== 0x80);
}
