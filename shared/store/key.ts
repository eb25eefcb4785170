import { PipelineError } from "../runtime/errors.ts";

/** S3's own limit, in UTF-8 bytes, with room for a prefix of 128. */
const KEY_BYTES_MAX = 1_024 - 128;

/** The longest file name that common file systems take, in UTF-8 bytes. */
const LEVEL_BYTES_MAX = 255;

/** The first level that the folder store keeps for itself; no store takes it, so that a lake can move between stores. */
export const RESERVED_LEVEL = ".sluice";

/** S3's limit for user metadata: the sum of the UTF-8 bytes of names and values. */
const METADATA_BYTES_MAX = 2_048 - 128;

// oxlint-disable-next-line no-control-regex -- control characters are what this refuses
const CONTROL = /[\u0000-\u001f\u007f]/;

/** Throws "store.invalid_key" where `key` could not be an object's key in every kind of store. */
export function checkKey(key: string): void {
  const wrong = whatIsWrong(key, true);
  if (wrong !== undefined) throw invalidKey(key, wrong);
}

/** Throws "store.invalid_key" where no key can begin with `prefix`. The last level may be empty or cut short. */
export function checkPrefix(prefix: string): void {
  const wrong = whatIsWrong(prefix, false);
  if (wrong !== undefined) throw invalidKey(prefix, wrong);
}

export function invalidKey(key: string, wrong: string, cause?: unknown): PipelineError {
  return new PipelineError("store.invalid_key", `object key ${JSON.stringify(key)}: ${wrong}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: "A key is levels joined by slashes; no level is empty, dots only, or longer than 255 bytes.",
  });
}

function whatIsWrong(key: string, whole: boolean): string | undefined {
  if (Buffer.byteLength(key) > KEY_BYTES_MAX) return `longer than ${KEY_BYTES_MAX} bytes`;
  if (CONTROL.test(key)) return "it has control characters";
  if (!key.isWellFormed()) return "it is not well-formed Unicode";
  const levels = key.split("/");
  if (levels[0] === RESERVED_LEVEL) return `the first level ${RESERVED_LEVEL} is the store's own`;
  const complete = whole ? levels : levels.slice(0, -1);
  if (complete.includes("")) return "a level is empty";
  if (complete.includes(".") || complete.includes("..")) return "a level is dots only";
  if (complete.some((level) => Buffer.byteLength(level) > LEVEL_BYTES_MAX))
    return `a level is longer than ${LEVEL_BYTES_MAX} bytes`;
  return undefined;
}

/** Throws "store.invalid_metadata" where S3 could not carry it unchanged in headers. */
export function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  let bytes = 0;
  for (const [name, value] of Object.entries(metadata)) {
    bytes += name.length + value.length;
    const fine =
      /^[a-z0-9-]+$/.test(name) && /^[\u0021-\u007e]([\u0020-\u007e]*[\u0021-\u007e])?$/.test(value);
    if (!fine || bytes > METADATA_BYTES_MAX)
      throw new PipelineError("store.invalid_metadata", `object metadata ${name}: ${JSON.stringify(value)}`, {
        hint: `Names of a-z, 0-9 and dashes, values of printable ASCII, ${METADATA_BYTES_MAX} bytes in all.`,
      });
  }
}

/** The order of UTF-8 bytes, which is that of code points; UTF-16 units differ from it beyond the surrogates. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return codePointRank(x) - codePointRank(y);
  }
  return a.length - b.length;
}

/** Moves surrogates, which stand for code points from 0x10000 on, behind the rest of the basic plane. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
