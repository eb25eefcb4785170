import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
// The server is driven by the AWS SDK, so that its signatures, checksums and XML are judged by what others wrote.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { SimulatedClock, systemClock } from "@sluice/shared/runtime/clock.ts";
import {
  type ObjectStoreOptions,
  type RunningObjectStore,
  startObjectStore,
} from "@sluice/simulators/object-store/start.ts";
import { afterAll, beforeAll, expect, test } from "vitest";

const Bucket = "lake";
let server: RunningObjectStore;
let client: S3Client;

function connect(to: RunningObjectStore, config: S3ClientConfig = {}): S3Client {
  const { endpoint, accessKeyId, secretAccessKey } = to;
  const credentials = { accessKeyId, secretAccessKey };
  return new S3Client({
    endpoint,
    credentials,
    region: "eu-central-1",
    forcePathStyle: true,
    maxAttempts: 1,
    ...config,
  });
}

/** A server of its own for one test. */
async function withServer(
  options: ObjectStoreOptions,
  run: (own: RunningObjectStore, client: S3Client) => Promise<void>,
): Promise<void> {
  const own = await startObjectStore(options);
  const ownClient = connect(own);
  try {
    await run(own, ownClient);
  } finally {
    ownClient.destroy();
    await own.stop();
  }
}

const failure = (name: string, status: number): unknown =>
  expect.objectContaining({ name, $metadata: expect.objectContaining({ httpStatusCode: status }) });

beforeAll(async () => {
  server = await startObjectStore();
  client = connect(server);
});

afterAll(async () => {
  client.destroy();
  await server.stop();
});

test("the checksums that the SDK adds by default are verified and given back", async () => {
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32("hello"));
  const expected = {
    CRC32: crc.toString("base64"),
    SHA256: createHash("sha256").update("hello").digest("base64"),
    SHA1: createHash("sha1").update("hello").digest("base64"),
  };
  for (const ChecksumAlgorithm of ["CRC32", "SHA256", "SHA1"] as const) {
    const Key = `checksums/${ChecksumAlgorithm}`;
    await client.send(new PutObjectCommand({ Bucket, Key, Body: "hello", ChecksumAlgorithm }));
    const head = await client.send(new HeadObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
    expect(head[`Checksum${ChecksumAlgorithm}`]).toBe(expected[ChecksumAlgorithm]);
    const got = await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
    expect(await got.Body?.transformToString()).toBe("hello");
  }
});

test("a wrong checksum is refused and nothing is stored", async () => {
  const Key = "checksums/wrong";
  const put = { Bucket, Key, Body: "hello" };
  const wrong = Buffer.alloc(32).toString("base64");
  await expect(client.send(new PutObjectCommand({ ...put, ChecksumSHA256: wrong }))).rejects.toEqual(
    failure("BadDigest", 400),
  );
  await expect(
    client.send(new PutObjectCommand({ ...put, ContentMD5: Buffer.alloc(16).toString("base64") })),
  ).rejects.toEqual(failure("BadDigest", 400));
  await expect(client.send(new PutObjectCommand({ ...put, ChecksumAlgorithm: "CRC64NVME" }))).rejects.toThrow(
    /./,
  );
  await expect(client.send(new HeadObjectCommand({ Bucket, Key }))).rejects.toEqual(failure("NotFound", 404));
});

test("a request with a wrong secret, an unknown key or no signature is refused", async () => {
  const { accessKeyId } = server;
  const wrongSecret = connect(server, { credentials: { accessKeyId, secretAccessKey: "other" } });
  const wrongKey = connect(server, { credentials: { accessKeyId: "other", secretAccessKey: "other" } });
  const put = (): PutObjectCommand => new PutObjectCommand({ Bucket, Key: "refused", Body: "x" });
  await expect(wrongSecret.send(put())).rejects.toEqual(failure("SignatureDoesNotMatch", 403));
  await expect(wrongKey.send(put())).rejects.toEqual(failure("InvalidAccessKeyId", 403));
  const bare = await fetch(`${server.endpoint}/${Bucket}/refused`);
  expect([bare.status, await bare.text()]).toEqual([
    403,
    expect.stringContaining("<Code>AccessDenied</Code>"),
  ]);
  const badHeader = await fetch(`${server.endpoint}/${Bucket}/refused`, {
    headers: { authorization: "AWS a:b" },
  });
  expect(await badHeader.text()).toContain("<Code>AuthorizationHeaderMalformed</Code>");
  wrongSecret.destroy();
  wrongKey.destroy();
});

test("a body that was changed on the way is refused", async () => {
  const changing = connect(server, { requestChecksumCalculation: "WHEN_REQUIRED" });
  changing.middlewareStack.add(
    (next) => (args) => {
      if (typeof args.request === "object" && args.request !== null)
        Reflect.set(args.request, "body", Buffer.from("hullo"));
      return next(args);
    },
    { step: "deserialize", priority: "low" },
  );
  const put = new PutObjectCommand({ Bucket, Key: "changed", Body: "hello" });
  await expect(changing.send(put)).rejects.toEqual(failure("XAmzContentSHA256Mismatch", 400));
  changing.destroy();
});

test("a request signed more than fifteen minutes off the server's clock is refused with the server's time", async () => {
  const clock = new SimulatedClock(systemClock.nowUs() + 16 * 60_000_000);
  await withServer({ clock }, async (_, own) => {
    const put = new PutObjectCommand({ Bucket, Key: "late", Body: "x" });
    await expect(own.send(put)).rejects.toEqual(failure("RequestTimeTooSkewed", 403));
    // The SDK takes the time from the refusal.
    expect(await own.send(put)).toMatchObject({ ETag: expect.any(String) });
  });
});

test("a bucket is there after it was made, and its objects are its own", async () => {
  await expect(client.send(new HeadBucketCommand({ Bucket: "other" }))).rejects.toEqual(
    failure("NotFound", 404),
  );
  await expect(client.send(new PutObjectCommand({ Bucket: "other", Key: "a", Body: "x" }))).rejects.toEqual(
    failure("NoSuchBucket", 404),
  );
  await client.send(new CreateBucketCommand({ Bucket: "other" }));
  await client.send(new HeadBucketCommand({ Bucket: "other" }));
  await client.send(new PutObjectCommand({ Bucket: "other", Key: "bucket-of-its-own", Body: "x" }));
  await expect(client.send(new HeadObjectCommand({ Bucket, Key: "bucket-of-its-own" }))).rejects.toEqual(
    failure("NotFound", 404),
  );
  await expect(client.send(new CreateBucketCommand({ Bucket: "No_Such_Name" }))).rejects.toEqual(
    failure("InvalidBucketName", 400),
  );
});

test("If-Match writes only over the object that it names", async () => {
  const put = { Bucket, Key: "if-match" };
  await expect(client.send(new PutObjectCommand({ ...put, Body: "1", IfMatch: '"x"' }))).rejects.toEqual(
    failure("NoSuchKey", 404),
  );
  const { ETag } = await client.send(new PutObjectCommand({ ...put, Body: "1" }));
  await client.send(new PutObjectCommand({ ...put, Body: "2", IfMatch: ETag }));
  await expect(client.send(new PutObjectCommand({ ...put, Body: "3", IfMatch: ETag }))).rejects.toEqual(
    failure("PreconditionFailed", 412),
  );
});

test("a listing rolls up common prefixes and goes on where a page ended", async () => {
  for (const Key of ["l/a/1", "l/a/2", "l/b", "l/c/1", "l/c/2", "l/d & <e>"])
    await client.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
  const seen: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket, Prefix: "l/", Delimiter: "/", MaxKeys: 1, ContinuationToken }),
    );
    expect(page.KeyCount).toBe(1);
    seen.push(...(page.Contents ?? []).map(({ Key = "" }) => Key));
    seen.push(...(page.CommonPrefixes ?? []).map(({ Prefix = "" }) => Prefix));
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
  expect(seen).toEqual(["l/a/", "l/b", "l/c/", "l/d & <e>"]);
  const after = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "l/", StartAfter: "l/c/1" }));
  expect(after.Contents?.map(({ Key }) => Key)).toEqual(["l/c/2", "l/d & <e>"]);
  const none = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "l/", MaxKeys: 0 }));
  expect([none.KeyCount, none.IsTruncated]).toEqual([0, false]);
  const urls = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "l/d", EncodingType: "url" }));
  expect(urls.Contents?.[0]?.Key).toBe("l/d%20%26%20%3Ce%3E");
});

test("deleting many objects removes those that are there and does not mind the others", async () => {
  for (const Key of ["many/a&b", "many/c"])
    await client.send(new PutObjectCommand({ Bucket, Key, Body: "x" }));
  const Objects = [{ Key: "many/a&b" }, { Key: "many/nothing" }];
  const answer = await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  expect(answer.Deleted?.map(({ Key }) => Key)).toEqual(["many/a&b", "many/nothing"]);
  const left = await client.send(new ListObjectsV2Command({ Bucket, Prefix: "many/" }));
  expect(left.Contents?.map(({ Key }) => Key)).toEqual(["many/c"]);
});

const part = (byte: number, bytes = 5 * 1_048_576): Uint8Array => new Uint8Array(bytes).fill(byte);

async function beginUpload(
  Key: string,
): Promise<{ Bucket: string; Key: string; UploadId: string | undefined }> {
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({ Bucket, Key, Metadata: { made: "in-parts" } }),
  );
  return { Bucket, Key, UploadId };
}

test("parts become one object when the upload is completed, and not before", async () => {
  const upload = await beginUpload("parts/object");
  const second = await client.send(new UploadPartCommand({ ...upload, PartNumber: 2, Body: part(2, 10) }));
  const first = await client.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: part(1) }));
  await expect(client.send(new HeadObjectCommand({ Bucket, Key: upload.Key }))).rejects.toEqual(
    failure("NotFound", 404),
  );
  const Parts = [
    { PartNumber: 1, ETag: first.ETag },
    { PartNumber: 2, ETag: second.ETag },
  ];
  await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
  const got = await client.send(new GetObjectCommand({ Bucket, Key: upload.Key, Range: "bytes=-11" }));
  expect(await got.Body?.transformToByteArray()).toEqual(Uint8Array.from([1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]));
  expect([got.ETag?.endsWith('-2"'), got.Metadata]).toEqual([true, { made: "in-parts" }]);
  const again = await beginUpload("parts/object");
  const { ETag } = await client.send(new UploadPartCommand({ ...again, PartNumber: 1, Body: "x" }));
  const complete = { ...again, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } };
  await expect(
    client.send(new CompleteMultipartUploadCommand({ ...complete, IfNoneMatch: "*" })),
  ).rejects.toEqual(failure("PreconditionFailed", 412));
});

test("an upload in parts is refused where a part is missing, small or out of order, and after it was aborted", async () => {
  const upload = await beginUpload("parts/refused");
  const small = await client.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: "small" }));
  const last = await client.send(new UploadPartCommand({ ...upload, PartNumber: 2, Body: "last" }));
  const complete = (...Parts: { PartNumber: number; ETag: string | undefined }[]): Promise<unknown> =>
    client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
  const one = { PartNumber: 1, ETag: small.ETag };
  const two = { PartNumber: 2, ETag: last.ETag };
  await expect(complete(one, two)).rejects.toEqual(failure("EntityTooSmall", 400));
  await expect(complete(two, one)).rejects.toEqual(failure("InvalidPartOrder", 400));
  await expect(complete({ ...one, ETag: '"0"' })).rejects.toEqual(failure("InvalidPart", 400));
  await expect(complete({ ...two, PartNumber: 3 })).rejects.toEqual(failure("InvalidPart", 400));
  await client.send(new AbortMultipartUploadCommand(upload));
  await expect(complete(two)).rejects.toEqual(failure("NoSuchUpload", 404));
});

test("what the server does not know it refuses", async () => {
  const copy = new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/a` });
  await expect(client.send(copy)).rejects.toEqual(failure("NotImplemented", 501));
  const versioned = new GetObjectCommand({ Bucket, Key: "a", VersionId: "1" });
  await expect(client.send(versioned)).rejects.toEqual(failure("NotImplemented", 501));
});

test("objects in a folder are there after a restart", async () => {
  const dir = await mkdtemp(join(tmpdir(), "sluice-s3-"));
  await withServer({ dir }, async (_, own) => {
    await own.send(new PutObjectCommand({ Bucket, Key: "kept/ü", Body: "kept", Metadata: { a: "1" } }));
    await own.send(new PutObjectCommand({ Bucket, Key: "gone", Body: "gone" }));
    await own.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "gone" }] } }));
  });
  await withServer({ dir }, async (_, own) => {
    const got = await own.send(new GetObjectCommand({ Bucket, Key: "kept/ü" }));
    expect([await got.Body?.transformToString(), got.Metadata]).toEqual(["kept", { a: "1" }]);
    const list = await own.send(new ListObjectsV2Command({ Bucket }));
    expect(list.Contents?.map(({ Key }) => Key)).toEqual(["kept/ü"]);
  });
  await rm(dir, { recursive: true });
});

test("each fault that was ordered happens as often as ordered, to the requests that it names", async () => {
  const clock = new SimulatedClock(systemClock.nowUs());
  await withServer({ clock }, async (own, ownClient) => {
    const put = (Key: string): Promise<unknown> =>
      ownClient.send(new PutObjectCommand({ Bucket, Key, Body: "hello" }));
    const get = async (Key: string): Promise<string | undefined> =>
      (await ownClient.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString();
    await put("a");
    own.orderFault({ kind: "refuse", status: 503, code: "SlowDown", method: "PUT", key: /^b$/, count: 2 });
    await put("a");
    await expect(put("b")).rejects.toEqual(failure("SlowDown", 503));
    await expect(put("b")).rejects.toEqual(failure("SlowDown", 503));
    await expect(get("b")).rejects.toEqual(failure("NoSuchKey", 404));
    await put("b");
    expect(await get("b")).toBe("hello");
    own.orderFault({ kind: "cut", method: "PUT" });
    await expect(put("cut")).rejects.toThrow(/./);
    await expect(get("cut")).rejects.toEqual(failure("NoSuchKey", 404));
    own.orderFault({ kind: "lost-reply", method: "PUT" });
    await expect(put("lost")).rejects.toThrow(/./);
    expect(await get("lost")).toBe("hello");
    own.orderFault({ kind: "torn-read", method: "GET" });
    await expect(get("a")).rejects.toThrow(/./);
    expect(await get("a")).toBe("hello");
    expect(own.stats().faults).toBe(5);
  });
});

test("a slow answer comes when its time is over, and a stopping server does not wait for it", async () => {
  const clock = new SimulatedClock(systemClock.nowUs());
  await withServer({ clock }, async (own, ownClient) => {
    own.orderFault({ kind: "slow", ms: 5_000 });
    let answered = false;
    const putting = ownClient.send(new PutObjectCommand({ Bucket, Key: "a", Body: "x" })).then(() => {
      answered = true;
      return undefined;
    });
    while (own.stats().faults === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    await clock.advance(5_000);
    await putting;
    own.orderFault({ kind: "slow", ms: 5_000 });
    const hanging = ownClient.send(new PutObjectCommand({ Bucket, Key: "a", Body: "x" })).catch(() => "cut");
    while (own.stats().faults === 1) await new Promise((resolve) => setImmediate(resolve));
    await own.stop();
    await hanging;
  });
});

test("a port in use is one clear error", async () => {
  const port = Number(new URL(server.endpoint).port);
  await expect(startObjectStore({ port })).rejects.toEqual(
    expect.objectContaining({ code: "object-store.port", message: expect.stringContaining(String(port)) }),
  );
});
