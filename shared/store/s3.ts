import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { Clock } from "../runtime/clock.ts";
import { newUuid, type Random } from "../runtime/random.ts";
import { retry } from "../runtime/retry.ts";
import { PipelineError } from "../runtime/errors.ts";
import { checkKey, checkMetadata, checkPrefix } from "./key.ts";
import type { GetOptions, GetResult, ObjectInfo, ObjectStore, PutOptions } from "./object-store.ts";
import { s3Error, s3FailureOf } from "./s3-errors.ts";
import type { S3Settings } from "./settings.ts";

export interface StoreDeps {
  readonly clock: Clock;
  readonly random: Random;
}

/** The metadata that tells a put its own object from another's; readers do not see it. */
const PUT_ID = "sluice-put";

type Head = NonNullable<Awaited<ReturnType<ObjectStore["head"]>>>;

/**
 * A bucket of an S3-compatible store, by the few operations that all of them have.
 *
 * Bodies are sent whole and unchunked; the only condition used is `If-None-Match: *` on a single PutObject. Requests
 * are tried again here, not by the SDK. A create-only put carries an id of its own, so that a try whose answer was
 * lost is recognised by the next one: it resolves to "created", not "exists".
 */
export class S3Store implements ObjectStore {
  readonly #client: S3Client;
  readonly #settings: S3Settings;
  readonly #deps: StoreDeps;
  readonly #prefix: string;

  constructor(settings: S3Settings, deps: StoreDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#prefix =
      settings.prefix === "" || settings.prefix.endsWith("/") ? settings.prefix : `${settings.prefix}/`;
    this.#client = createClient(settings);
  }

  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<"created" | "exists"> {
    checkKey(key);
    const metadata = options.metadata ?? {};
    checkMetadata(metadata);
    const putId = newUuid();
    const ifAbsent = options.ifAbsent === true;
    let tries = 0;
    return this.#try(`put ${key}`, async (abortSignal) => {
      tries += 1;
      const command = new PutObjectCommand({
        ...this.#at(key),
        Body: body,
        Metadata: ifAbsent ? { ...metadata, [PUT_ID]: putId } : { ...metadata },
        ...(ifAbsent ? { IfNoneMatch: "*" } : {}),
      });
      try {
        await this.#client.send(command, { abortSignal });
        return "created";
      } catch (cause) {
        if (!ifAbsent || s3FailureOf(cause).status !== 412) throw cause;
        // An earlier try may have put it before its answer was lost.
        const mine = tries > 1 && (await this.#head(key, abortSignal))?.putId === putId;
        return mine ? "created" : "exists";
      }
    });
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult> {
    checkKey(key);
    const { range, unlessEtag } = options;
    return this.#try(`get ${key}`, async (abortSignal) => {
      if (range !== undefined && range.end <= range.start) return this.#empty(key, options, abortSignal);
      try {
        const answer = await this.#client.send(
          new GetObjectCommand({
            ...this.#at(key),
            ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }),
            ...(unlessEtag === undefined ? {} : { IfNoneMatch: unlessEtag }),
          }),
          { abortSignal },
        );
        const body = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
        if (answer.ContentLength !== undefined && answer.ContentLength !== body.byteLength)
          throw new PipelineError(
            "store.unavailable",
            `get ${key}: ${body.byteLength} of ${answer.ContentLength} bytes came`,
          );
        const { metadata } = withoutPutId(answer.Metadata);
        return { state: "found", object: { body, etag: answer.ETag ?? "", metadata } };
      } catch (cause) {
        const { name, status } = s3FailureOf(cause);
        if (status === 304) return { state: "unchanged" };
        if (status === 416) return this.#empty(key, options, abortSignal);
        if (status === 404 && name !== "NoSuchBucket") return { state: "missing" };
        throw cause;
      }
    });
  }

  async head(key: string): ReturnType<ObjectStore["head"]> {
    checkKey(key);
    const found = await this.#try(`head ${key}`, (abortSignal) => this.#head(key, abortSignal));
    if (found === undefined) return undefined;
    return { bytes: found.bytes, etag: found.etag, metadata: found.metadata };
  }

  async *list(prefix: string, options: { readonly startAfter?: string } = {}): AsyncIterable<ObjectInfo> {
    checkPrefix(prefix);
    let startAfter = options.startAfter;
    for (let more = true; more;) {
      const after = startAfter;
      const page = await this.#try(`list ${prefix}`, (abortSignal) =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#settings.bucket,
            Prefix: `${this.#prefix}${prefix}`,
            ...(after === undefined ? {} : { StartAfter: `${this.#prefix}${after}` }),
          }),
          { abortSignal },
        ),
      );
      for (const object of page.Contents ?? []) {
        if (object.Key === undefined) continue;
        const key = object.Key.slice(this.#prefix.length);
        startAfter = key;
        yield { key, bytes: object.Size ?? 0 };
      }
      // Going on after the last key needs no token that a store could forget between two tries.
      more = page.IsTruncated === true && startAfter !== after;
    }
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    await this.#try(`delete ${key}`, async (abortSignal) => {
      try {
        await this.#client.send(new DeleteObjectCommand(this.#at(key)), { abortSignal });
      } catch (cause) {
        const { name, status } = s3FailureOf(cause);
        if (status !== 404 || name === "NoSuchBucket") throw cause;
      }
    });
  }

  /** Closes idle connections, so that a process can end at once. */
  close(): void {
    this.#client.destroy();
  }

  async #head(
    key: string,
    abortSignal: AbortSignal,
  ): Promise<(Head & { putId: string | undefined }) | undefined> {
    try {
      const answer = await this.#client.send(new HeadObjectCommand(this.#at(key)), { abortSignal });
      return { bytes: answer.ContentLength ?? 0, etag: answer.ETag ?? "", ...withoutPutId(answer.Metadata) };
    } catch (cause) {
      if (s3FailureOf(cause).status === 404) return undefined;
      throw cause;
    }
  }

  /** What a range of no bytes gives, which HTTP cannot ask for. */
  async #empty(key: string, options: GetOptions, abortSignal: AbortSignal): Promise<GetResult> {
    const found = await this.#head(key, abortSignal);
    if (found === undefined) return { state: "missing" };
    if (found.etag === options.unlessEtag) return { state: "unchanged" };
    return { state: "found", object: { body: new Uint8Array(), etag: found.etag, metadata: found.metadata } };
  }

  #at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#settings.bucket, Key: `${this.#prefix}${key}` };
  }

  /** Runs `work`, each try within `timeoutMs`, as often as the settings allow and its errors deserve. */
  #try<T>(action: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, random } = this.#deps;
    const { attemptsMax, retryBaseMs, retryMaxMs, timeoutMs, bucket } = this.#settings;
    const once = async (): Promise<T> => {
      const timeout = new AbortController();
      const done = new AbortController();
      const timer = abortLater(clock, timeoutMs, { timeout, done: done.signal });
      try {
        return await work(timeout.signal);
      } catch (cause) {
        throw s3Error(cause, `${action} in bucket ${bucket}`);
      } finally {
        done.abort();
        await timer;
      }
    };
    return retry(once, { clock, random, attemptsMax, backoff: { baseMs: retryBaseMs, maxMs: retryMaxMs } });
  }
}

async function abortLater(
  clock: Clock,
  afterMs: number,
  { timeout, done }: { readonly timeout: AbortController; readonly done: AbortSignal },
): Promise<void> {
  await clock.sleep(afterMs, done);
  if (!done.aborted) timeout.abort();
}

function withoutPutId(given: Readonly<Record<string, string>> | undefined): {
  metadata: Record<string, string>;
  putId: string | undefined;
} {
  const { [PUT_ID]: putId, ...metadata } = given ?? {};
  return { metadata, putId };
}

function createClient(settings: S3Settings): S3Client {
  const { accessKeyId, secretAccessKey } = settings;
  return new S3Client({
    region: settings.region,
    forcePathStyle: settings.forcePathStyle,
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
    maxAttempts: 1,
    // Other modes send trailers and checksums that many stores refuse; the signature covers the body's SHA-256.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: new NodeHttpHandler({
      connectionTimeout: settings.connectTimeoutMs,
      socketTimeout: settings.timeoutMs,
      httpAgent: { keepAlive: true, maxSockets: settings.connectionsMax },
      httpsAgent: { keepAlive: true, maxSockets: settings.connectionsMax },
    }),
  });
}
