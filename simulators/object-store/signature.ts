import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { isoTime, parseIsoUs } from "@sluice/shared/runtime/clock.ts";
import { notImplemented, S3Failure } from "./failure.ts";
import type { S3Request } from "./request.ts";

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** How far the request's time may be from the server's: 15 minutes, as with AWS. */
const SKEW_US_MAX = 15 * 60_000_000;

const SCHEME = "AWS4-HMAC-SHA256";

/**
 * Verifies an AWS Signature Version 4 in the Authorization header, and the body's SHA-256 that it covers.
 *
 * Throws the S3Failure that AWS answers with: AccessDenied without a signature, InvalidAccessKeyId,
 * RequestTimeTooSkewed, SignatureDoesNotMatch, XAmzContentSHA256Mismatch.
 * Source: AWS, "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)".
 */
export function verifySignature(request: S3Request, credentials: Credentials, nowUs: number): void {
  const header = request.headers.get("authorization");
  if (header === undefined) throw new S3Failure(403, "AccessDenied", "Access Denied");
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^,]+)\/(\d{8})\/([^/,]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (parts === null)
    throw new S3Failure(400, "AuthorizationHeaderMalformed", "The authorization header is malformed.");
  const [, accessKeyId = "", day = "", region = "", signedHeaders = "", signature = ""] = parts;
  if (accessKeyId !== credentials.accessKeyId)
    throw new S3Failure(
      403,
      "InvalidAccessKeyId",
      "The AWS Access Key Id you provided does not exist in our records.",
    );
  const signedAt = request.headers.get("x-amz-date") ?? "";
  checkTime(signedAt, day, nowUs);
  if (!signedHeaders.split(";").includes("host"))
    throw new S3Failure(403, "AccessDenied", "The host header must be signed.");
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = [SCHEME, signedAt, scope, sha256Hex(canonicalRequest(request, signedHeaders))].join("\n");
  const key = [day, region, "s3", "aws4_request"].reduce<Buffer>(
    (secret, text) => hmac(secret, text),
    Buffer.from(`AWS4${credentials.secretAccessKey}`),
  );
  if (!timingSafeEqual(hmac(key, toSign), Buffer.from(signature, "hex")))
    throw new S3Failure(
      403,
      "SignatureDoesNotMatch",
      "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    );
  checkBodyHash(request);
}

function checkTime(signedAt: string, day: string, nowUs: number): void {
  const digits = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(signedAt);
  if (digits === null || !signedAt.startsWith(day))
    throw new S3Failure(403, "AccessDenied", "A valid x-amz-date header is required.");
  const [, year, month, date, hour, minute, second] = digits;
  const signedUs = parseIsoUs(`${year}-${month}-${date}T${hour}:${minute}:${second}Z`);
  if (!(Math.abs(nowUs - signedUs) <= SKEW_US_MAX))
    throw new S3Failure(
      403,
      "RequestTimeTooSkewed",
      "The difference between the request time and the server's time is too large.",
      {
        RequestTime: signedAt,
        ServerTime: isoTime(nowUs),
        MaxAllowedSkewMilliseconds: String(SKEW_US_MAX / 1_000),
      },
    );
}

function canonicalRequest(request: S3Request, signedHeaders: string): string {
  const query = [...request.query]
    .map(([name, value]): [string, string] => [uriEncode(name), uriEncode(value)])
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
  const headers = signedHeaders
    .split(";")
    .map((name) => `${name}:${(request.headers.get(name) ?? "").trim().replaceAll(/ +/g, " ")}\n`)
    .join("");
  const path = request.path.split("/").map(uriEncode).join("/");
  const bodyHash = request.headers.get("x-amz-content-sha256") ?? "";
  return [request.method, path, query, headers, signedHeaders, bodyHash].join("\n");
}

function checkBodyHash(request: S3Request): void {
  const claimed = request.headers.get("x-amz-content-sha256") ?? "";
  if (claimed === "UNSIGNED-PAYLOAD") return;
  if (claimed.startsWith("STREAMING-")) throw notImplemented("chunked (aws-chunked) bodies");
  if (claimed !== sha256Hex(request.body))
    throw new S3Failure(
      400,
      "XAmzContentSHA256Mismatch",
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
}

/** Percent-encodes everything but letters, digits and -._~ (RFC 3986's unreserved characters). */
export const uriEncode = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );

const sha256Hex = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");
const hmac = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
