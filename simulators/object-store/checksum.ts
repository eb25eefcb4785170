import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { notImplemented, S3Failure } from "./failure.ts";

const hash = (algorithm: string, body: Uint8Array): string =>
  createHash(algorithm).update(body).digest("base64");

function crc32Base64(body: Uint8Array): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString("base64");
}

const ALGORITHMS: Readonly<Record<string, (body: Uint8Array) => string>> = {
  "x-amz-checksum-crc32": crc32Base64,
  "x-amz-checksum-sha1": (body) => hash("sha1", body),
  "x-amz-checksum-sha256": (body) => hash("sha256", body),
};

const CHECKSUM = /^x-amz-checksum-(?!algorithm$|mode$|type$)/;

/**
 * Compares every checksum that came with a body with the body itself, and returns those to keep with the object.
 *
 * Throws BadDigest where one differs and NotImplemented for an algorithm that could not be checked.
 */
export function verifyChecksums(
  headers: ReadonlyMap<string, string>,
  body: Uint8Array,
): Record<string, string> {
  const md5 = headers.get("content-md5");
  if (md5 !== undefined && md5 !== hash("md5", body))
    throw new S3Failure(400, "BadDigest", "The Content-MD5 you specified did not match what we received.");
  const kept: Record<string, string> = {};
  for (const [name, claimed] of headers) {
    if (!CHECKSUM.test(name)) continue;
    const compute = ALGORITHMS[name];
    if (compute === undefined) throw notImplemented(name);
    if (claimed !== compute(body))
      throw new S3Failure(400, "BadDigest", `The ${name} you specified did not match what we received.`);
    kept[name] = claimed;
  }
  return kept;
}
