import { createHash } from "node:crypto";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import { type Answer, answer, httpDate, xmlAnswer } from "./answer.ts";
import type { Bucket, ObjectHeader } from "./bucket.ts";
import { verifyChecksums } from "./checksum.ts";
import { notImplemented, noSuchKey, preconditionFailed, S3Failure } from "./failure.ts";
import type { S3Request } from "./request.ts";
import { blocksOf, element, textsOf, xmlDocument } from "./xml.ts";

/** S3's own limit, in UTF-8 bytes. */
const KEY_BYTES_MAX = 1_024;

/** S3's own limit of one DeleteObjects request. */
const DELETES_MAX = 1_000;

const META = "x-amz-meta-";

export const md5Hex = (body: Uint8Array): string => createHash("md5").update(body).digest("hex");

/** The parts of a header that come with the request that begins an object. */
export function describedBy(request: S3Request): Pick<ObjectHeader, "key" | "contentType" | "metadata"> {
  if (Buffer.byteLength(request.key) > KEY_BYTES_MAX)
    throw new S3Failure(400, "KeyTooLongError", "Your key is too long.");
  const metadata = [...request.headers].filter(([name]) => name.startsWith(META));
  return {
    key: request.key,
    contentType: request.headers.get("content-type") ?? "application/octet-stream",
    metadata: Object.fromEntries(metadata.map(([name, value]) => [name.slice(META.length), value])),
  };
}

/** Throws 412 where the object that is there does not meet If-None-Match or If-Match, 404 where If-Match has none. */
export function checkWriteConditions(request: S3Request, present: ObjectHeader | undefined): void {
  const ifNoneMatch = request.headers.get("if-none-match");
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch !== "*") throw notImplemented("If-None-Match with an ETag on writes");
    if (present !== undefined) throw preconditionFailed("If-None-Match");
  }
  const ifMatch = request.headers.get("if-match");
  if (ifMatch === undefined) return;
  if (present === undefined) throw noSuchKey();
  if (!sameEtag(ifMatch, present.etag)) throw preconditionFailed("If-Match");
}

export function putObject(request: S3Request, bucket: Bucket, nowUs: number): Answer {
  if (request.headers.has("x-amz-copy-source")) throw notImplemented("CopyObject");
  if (!request.headers.has("content-length"))
    throw new S3Failure(411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
  const checksums = verifyChecksums(request.headers, request.body);
  const described = describedBy(request);
  checkWriteConditions(request, bucket.header(request.key));
  const etag = `"${md5Hex(request.body)}"`;
  const bytes = request.body.byteLength;
  bucket.write({ ...described, etag, bytes, modifiedAtUs: nowUs, checksums }, request.body);
  return answer(200, { etag, ...checksums });
}

export function getObject(request: S3Request, bucket: Bucket): Answer {
  const header = bucket.header(request.key);
  if (header === undefined) throw noSuchKey();
  const headers = objectHeaders(header, request.headers.get("x-amz-checksum-mode") === "ENABLED");
  const ifMatch = request.headers.get("if-match");
  if (ifMatch !== undefined && !sameEtag(ifMatch, header.etag)) throw preconditionFailed("If-Match");
  const ifNoneMatch = request.headers.get("if-none-match");
  if (ifNoneMatch !== undefined && (ifNoneMatch === "*" || sameEtag(ifNoneMatch, header.etag)))
    return answer(304, { etag: header.etag });
  if (request.method === "HEAD") return answer(200, { ...headers, "content-length": String(header.bytes) });
  const body = bucket.body(request.key);
  const range = rangeOf(request.headers.get("range"), header.bytes);
  if (range === undefined) return { status: 200, headers, body };
  const { start, end } = range;
  return {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${start}-${end - 1}/${header.bytes}` },
    body: body.subarray(start, end),
  };
}

export function deleteObject(request: S3Request, bucket: Bucket): Answer {
  bucket.remove(request.key);
  return answer(204);
}

export function deleteObjects(request: S3Request, bucket: Bucket): Answer {
  verifyChecksums(request.headers, request.body);
  const xml = Buffer.from(request.body).toString("utf8");
  const keys = blocksOf(xml, "Object").flatMap((object) => textsOf(object, "Key"));
  if (keys.length === 0 || keys.length > DELETES_MAX)
    throw new S3Failure(400, "MalformedXML", `The XML must name 1 to ${DELETES_MAX} objects.`);
  for (const key of keys) bucket.remove(key);
  const quiet = textsOf(xml, "Quiet")[0] === "true";
  const deleted = quiet ? [] : keys.map((key) => `<Deleted>${element("Key", key)}</Deleted>`);
  return xmlAnswer(
    200,
    xmlDocument(
      `<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${deleted.join("")}</DeleteResult>`,
    ),
  );
}

function objectHeaders(header: ObjectHeader, withChecksums: boolean): Record<string, string> {
  const metadata = Object.entries(header.metadata).map(([name, value]) => [`${META}${name}`, value]);
  return {
    etag: header.etag,
    "content-type": header.contentType,
    "last-modified": httpDate(header.modifiedAtUs, isoTime(header.modifiedAtUs)),
    "accept-ranges": "bytes",
    ...Object.fromEntries(metadata),
    ...(withChecksums ? header.checksums : {}),
  };
}

const sameEtag = (given: string, etag: string): boolean =>
  given.split(",").some((one) => one.trim().replaceAll('"', "") === etag.replaceAll('"', ""));

/** The half-open range of bytes that a Range header names; undefined where it is to be ignored (RFC 9110 §14.2). */
export function rangeOf(
  header: string | undefined,
  bytes: number,
): { start: number; end: number } | undefined {
  const parts = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  const [first = "", last = ""] = parts?.slice(1) ?? [];
  if (first === "" && last === "") return undefined;
  const start = first === "" ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === "" || last === "" ? bytes : Math.min(bytes, Number(last) + 1);
  if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined;
  if (start >= bytes)
    throw new S3Failure(416, "InvalidRange", "The requested range is not satisfiable", {
      ActualObjectSize: String(bytes),
    });
  return { start, end };
}
