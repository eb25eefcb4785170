import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Answer, answer, xmlAnswer } from "./answer.ts";
import { type Bucket, folderBucket, memoryBucket } from "./bucket.ts";
import { notImplemented, S3Failure } from "./failure.ts";
import { listObjects } from "./listing.ts";
import { Uploads } from "./multipart.ts";
import { deleteObject, deleteObjects, getObject, putObject } from "./objects.ts";
import type { S3Request } from "./request.ts";

const BUCKET_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** The S3 operations over buckets in memory, or in a folder each below `dir`. */
export class S3Service {
  readonly #dir: string | undefined;
  readonly #buckets = new Map<string, Bucket>();
  readonly #uploads = new Uploads();

  constructor(dir: string | undefined) {
    this.#dir = dir;
    if (dir === undefined) return;
    for (const entry of readdirSync(dir, { withFileTypes: true }))
      if (entry.isDirectory() && BUCKET_NAME.test(entry.name))
        this.#buckets.set(entry.name, folderBucket(join(dir, entry.name)));
  }

  /** Makes the bucket where there is none. */
  createBucket(name: string): Answer {
    if (!BUCKET_NAME.test(name))
      throw new S3Failure(400, "InvalidBucketName", "The specified bucket is not valid.");
    if (!this.#buckets.has(name))
      this.#buckets.set(name, this.#dir === undefined ? memoryBucket() : folderBucket(join(this.#dir, name)));
    return answer(200, { location: `/${name}` });
  }

  /** Carries a verified request out; throws the S3Failure to answer with. */
  handle(request: S3Request, nowUs: number): Answer {
    const { method, bucket: name, key } = request;
    if (name === "") throw notImplemented("ListBuckets");
    if (key === "" && method === "PUT") return this.createBucket(name);
    const bucket = this.#buckets.get(name);
    if (bucket === undefined)
      throw new S3Failure(404, "NoSuchBucket", "The specified bucket does not exist", { BucketName: name });
    return key === "" ? handleBucket(request, bucket) : this.#handleObject(request, bucket, nowUs);
  }

  #handleObject(request: S3Request, bucket: Bucket, nowUs: number): Answer {
    const { method, query } = request;
    refuseUnknown(query, ["x-id", "partNumber", "uploadId", "uploads"]);
    const inParts = query.has("uploadId");
    if (method === "PUT") return inParts ? this.#uploads.putPart(request) : putObject(request, bucket, nowUs);
    if (method === "DELETE") return inParts ? this.#uploads.abort(request) : deleteObject(request, bucket);
    if (method === "POST" && query.has("uploads")) return this.#uploads.create(request);
    if (method === "POST" && inParts) return this.#uploads.complete(request, bucket, nowUs);
    if ((method === "GET" || method === "HEAD") && !inParts) return getObject(request, bucket);
    throw notImplemented(`${method} of an object with these parameters`);
  }
}

function handleBucket(request: S3Request, bucket: Bucket): Answer {
  const { method, query, bucket: name } = request;
  if (method === "HEAD") return answer(200);
  if (method === "POST" && query.has("delete")) return deleteObjects(request, bucket);
  if (method === "GET" && query.get("list-type") === "2")
    return xmlAnswer(200, listObjects(name, bucket, query));
  throw notImplemented(`${method} of a bucket with these parameters`);
}

/** A parameter that is not understood would change what the client means: refused, not ignored. */
function refuseUnknown(query: ReadonlyMap<string, string>, known: readonly string[]): void {
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) throw notImplemented(`the parameter ${unknown}`);
}
