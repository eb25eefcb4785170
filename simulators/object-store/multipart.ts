import { createHash } from "node:crypto";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { type Answer, answer, xmlAnswer } from "./answer.ts";
import type { Bucket, ObjectHeader } from "./bucket.ts";
import { verifyChecksums } from "./checksum.ts";
import { invalidArgument, S3Failure } from "./failure.ts";
import { checkWriteConditions, describedBy, md5Hex } from "./objects.ts";
import type { S3Request } from "./request.ts";
import { blocksOf, element, textsOf, xmlDocument } from "./xml.ts";

/** S3's own limits. */
const PARTS_MAX = 10_000;
const PART_BYTES_MIN = 5 * 1_048_576;

interface Upload {
  readonly bucket: string;
  readonly described: Pick<ObjectHeader, "key" | "contentType" | "metadata">;
  readonly parts: Map<number, { readonly etag: string; readonly body: Uint8Array }>;
}

const noSuchUpload = (): S3Failure =>
  new S3Failure(404, "NoSuchUpload", "The specified multipart upload does not exist.");

/** Uploads in parts that have begun and not ended. Parts are held in memory and are gone after a restart. */
export class Uploads {
  readonly #uploads = new Map<string, Upload>();

  create(request: S3Request): Answer {
    const id = newUuid();
    this.#uploads.set(id, { bucket: request.bucket, described: describedBy(request), parts: new Map() });
    return xmlAnswer(
      200,
      xmlDocument(
        `<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${element("Bucket", request.bucket)}${element("Key", request.key)}${element("UploadId", id)}</InitiateMultipartUploadResult>`,
      ),
    );
  }

  putPart(request: S3Request): Answer {
    const upload = this.#find(request);
    const number = Number(request.query.get("partNumber"));
    if (!Number.isInteger(number) || number < 1 || number > PARTS_MAX)
      throw invalidArgument(`Part number must be an integer between 1 and ${PARTS_MAX}, inclusive`);
    const checksums = verifyChecksums(request.headers, request.body);
    const etag = `"${md5Hex(request.body)}"`;
    upload.parts.set(number, { etag, body: request.body });
    return answer(200, { etag, ...checksums });
  }

  complete(request: S3Request, bucket: Bucket, nowUs: number): Answer {
    const upload = this.#find(request);
    const parts = chosenParts(upload, Buffer.from(request.body).toString("utf8"));
    checkWriteConditions(request, bucket.header(request.key));
    const body = Buffer.concat(parts.map((part) => part.body));
    const digests = Buffer.concat(parts.map((part) => createHash("md5").update(part.body).digest()));
    const etag = `"${md5Hex(digests)}-${parts.length}"`;
    bucket.write(
      { ...upload.described, etag, bytes: body.byteLength, modifiedAtUs: nowUs, checksums: {} },
      body,
    );
    this.#uploads.delete(request.query.get("uploadId") ?? "");
    return xmlAnswer(
      200,
      xmlDocument(
        `<CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${element("Bucket", request.bucket)}${element("Key", request.key)}${element("ETag", etag)}</CompleteMultipartUploadResult>`,
      ),
    );
  }

  abort(request: S3Request): Answer {
    this.#find(request);
    this.#uploads.delete(request.query.get("uploadId") ?? "");
    return answer(204);
  }

  #find(request: S3Request): Upload {
    const upload = this.#uploads.get(request.query.get("uploadId") ?? "");
    if (upload === undefined || upload.bucket !== request.bucket || upload.described.key !== request.key)
      throw noSuchUpload();
    return upload;
  }
}

function chosenParts(upload: Upload, xml: string): { readonly etag: string; readonly body: Uint8Array }[] {
  const chosen = blocksOf(xml, "Part").map((part) => ({
    number: Number(textsOf(part, "PartNumber")[0]),
    etag: (textsOf(part, "ETag")[0] ?? "").replaceAll('"', ""),
  }));
  if (chosen.length === 0) throw new S3Failure(400, "MalformedXML", "The XML must name at least one part.");
  if (chosen.some(({ number }, i) => i > 0 && number <= (chosen[i - 1]?.number ?? 0)))
    throw new S3Failure(400, "InvalidPartOrder", "The list of parts was not in ascending order.");
  return chosen.map(({ number, etag }, i) => {
    const part = upload.parts.get(number);
    if (part === undefined || part.etag !== `"${etag}"`)
      throw new S3Failure(400, "InvalidPart", `Part ${number} was not uploaded, or its ETag differs.`);
    if (i < chosen.length - 1 && part.body.byteLength < PART_BYTES_MIN)
      throw new S3Failure(400, "EntityTooSmall", `Part ${number} is smaller than ${PART_BYTES_MIN} bytes.`);
    return part;
  });
}
