import { SimulatedClock, systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { openStore } from "@sluice/shared/store/open.ts";
import { probeStore } from "@sluice/shared/store/probe.ts";
import { s3Error } from "@sluice/shared/store/s3-errors.ts";
import { S3Store } from "@sluice/shared/store/s3.ts";
import { type S3Settings, storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import { type RunningObjectStore, startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { objectStoreSuite } from "../../suites/object-store.ts";

let server: RunningObjectStore;
const stores: S3Store[] = [];

beforeAll(async () => {
  server = await startObjectStore();
});

afterEach(() => {
  server.clearFaults();
  for (const store of stores.splice(0)) store.close();
});

afterAll(() => server.stop());

function settingsOf(to: RunningObjectStore, changes: Partial<S3Settings> = {}): S3Settings {
  const { endpoint, bucket, accessKeyId, secretAccessKey } = to;
  const settings = storeSettingsSchema.parse({
    kind: "s3",
    endpoint,
    bucket,
    accessKeyId,
    secretAccessKey,
    retryBaseMs: 1,
    ...changes,
  });
  if (settings.kind !== "s3") throw new Error("these are the settings of an S3 store");
  return settings;
}

function connect(changes: Partial<S3Settings> = {}, clock = systemClock): S3Store {
  const store = new S3Store(settingsOf(server, changes), { clock, random: seededRandom(1) });
  stores.push(store);
  return store;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const failure = (code: string): unknown =>
  expect.objectContaining({ code, hint: expect.stringMatching(/\.$/) });

async function keysOf(store: ObjectStore, prefix = ""): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

objectStoreSuite("s3 against the simulator", async () => {
  const own = await startObjectStore();
  const store = new S3Store(settingsOf(own, { prefix: "deep/lake" }), {
    clock: systemClock,
    random: seededRandom(1),
  });
  return {
    store,
    close: async () => {
      store.close();
      await own.stop();
    },
  };
});

test("the settings open the store that they name", async () => {
  const store = await openStore(settingsOf(server), { clock: systemClock, random: seededRandom(1) });
  expect(await store.put("opened", bytes("1"))).toBe("created");
});

test("lakes with different prefixes in one bucket do not see each other", async () => {
  await connect({ prefix: "one" }).put("a", bytes("1"));
  await connect({ prefix: "one/" }).put("b", bytes("1"));
  await connect({ prefix: "one-more" }).put("c", bytes("1"));
  expect(await keysOf(connect({ prefix: "one" }))).toEqual(["a", "b"]);
  expect(await keysOf(connect({ prefix: "one-more" }))).toEqual(["c"]);
});

test.each([
  [403, "AccessDenied", "store.denied"],
  [403, "ExpiredToken", "store.denied"],
  [404, "NoSuchBucket", "store.missing"],
  [301, "PermanentRedirect", "store.missing"],
  [400, "AuthorizationHeaderMalformed", "store.missing"],
  [400, "EntityTooLarge", "store.refused"],
  [501, "NotImplemented", "store.no_conditional_put"],
])("the refusal %i %s is %s, and is not tried again", async (status, code, meaning) => {
  server.orderFault({ kind: "refuse", status, code });
  const before = server.stats().faults;
  await expect(connect().put("refused", bytes("1"), { ifAbsent: true })).rejects.toEqual(failure(meaning));
  expect(server.stats().faults).toBe(before + 1);
  expect(await connect().head("refused")).toBeUndefined();
});

test.each([
  [503, "SlowDown", "store.unavailable"],
  [500, "InternalError", "store.unavailable"],
  [429, "TooManyRequests", "store.unavailable"],
  [400, "RequestTimeout", "store.timeout"],
  [409, "ConditionalRequestConflict", "store.conflict"],
  [409, "OperationAborted", "store.conflict"],
])(
  "the failure %i %s is %s after it was tried as often as the settings say",
  async (status, code, meaning) => {
    const key = `tried/${code}`;
    server.orderFault({ kind: "refuse", status, code, count: 2 });
    expect(await connect({ attemptsMax: 3 }).put(key, bytes("1"), { ifAbsent: true })).toBe("created");
    server.orderFault({ kind: "refuse", status, code, count: 3 });
    await expect(connect({ attemptsMax: 3 }).put(key, bytes("1"))).rejects.toEqual(failure(meaning));
  },
);

test("a wrong secret and a bucket that is not there are said as such by every operation", async () => {
  const stranger = connect({ secretAccessKey: "wrong" });
  await expect(stranger.put("a", bytes("1"))).rejects.toEqual(failure("store.denied"));
  await expect(stranger.get("a")).rejects.toEqual(failure("store.denied"));
  await expect(keysOf(stranger)).rejects.toEqual(failure("store.denied"));
  const lost = connect({ bucket: "no-such-bucket" });
  await expect(lost.put("a", bytes("1"))).rejects.toEqual(failure("store.missing"));
  await expect(lost.get("a")).rejects.toEqual(failure("store.missing"));
  await expect(lost.delete("a")).rejects.toEqual(failure("store.missing"));
  await expect(keysOf(lost)).rejects.toEqual(failure("store.missing"));
});

test("a store that nobody runs is unavailable, and the message names the bucket and what was done", async () => {
  const gone = await startObjectStore();
  const store = new S3Store(settingsOf(gone), { clock: systemClock, random: seededRandom(1) });
  await gone.stop();
  await expect(store.put("a/b", bytes("1"))).rejects.toEqual(
    expect.objectContaining({
      code: "store.unavailable",
      message: expect.stringMatching(/put a\/b in bucket lake/),
    }),
  );
});

test("an answer that does not come within timeoutMs is a timeout, and the try is given up", async () => {
  // The server's answer is held up on its own clock, which nobody moves on.
  const slow = await startObjectStore({ clock: new SimulatedClock(systemClock.nowUs()) });
  const clock = new SimulatedClock(0);
  const store = new S3Store(settingsOf(slow, { timeoutMs: 500, attemptsMax: 2 }), {
    clock,
    random: seededRandom(1),
  });
  slow.orderFault({ kind: "slow", ms: 1_000, count: 2 });
  const put = store.put("a", bytes("1")).catch((error: unknown) => error);
  for (let tries = 1; tries <= 2; tries++) {
    while (slow.stats().faults < tries) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(500);
    await clock.advance(10);
  }
  expect(await put).toEqual(failure("store.timeout"));
  store.close();
  await slow.stop();
});

test("a body that is cut in the middle is fetched again, never handed on short", async () => {
  const body = new Uint8Array(300_000).fill(7);
  await connect().put("torn", body);
  server.orderFault({ kind: "torn-read", method: "GET", count: 2 });
  const result = await connect({ attemptsMax: 3 }).get("torn");
  expect(result).toMatchObject({ state: "found", object: { body: { byteLength: body.byteLength } } });
  server.orderFault({ kind: "torn-read", method: "GET", count: 3 });
  await expect(connect({ attemptsMax: 3 }).get("torn")).rejects.toEqual(failure("store.unavailable"));
});

test("a machine whose clock is wrong gets through, because the refusal tells it the time", async () => {
  const ahead = await startObjectStore({ clock: new SimulatedClock(systemClock.nowUs() + 3_600_000_000) });
  const store = new S3Store(settingsOf(ahead), { clock: systemClock, random: seededRandom(1) });
  expect(await store.put("a", bytes("1"))).toBe("created");
  const once = new S3Store(settingsOf(ahead, { attemptsMax: 1 }), {
    clock: systemClock,
    random: seededRandom(1),
  });
  await expect(once.put("a", bytes("1"))).rejects.toEqual(failure("store.clock_skew"));
  store.close();
  once.close();
  await ahead.stop();
});

test("a create-only put whose answer was lost is created, not taken for another's", async () => {
  server.orderFault({ kind: "lost-reply", method: "PUT", count: 2 });
  const metadata = { sha256: "0a" };
  expect(await connect().put("lost", bytes("mine"), { ifAbsent: true, metadata })).toBe("created");
  expect(await connect().get("lost")).toMatchObject({ object: { body: bytes("mine"), metadata } });
});

test("of writers with the same bytes whose answers are lost, still only one hears that it created the object", async () => {
  for (let round = 0; round < 5; round++) {
    server.orderFault({ kind: "lost-reply", method: "PUT", count: 4 });
    const store = connect({ attemptsMax: 6 });
    const results = await Promise.all(
      Array.from({ length: 8 }, () => store.put(`contested/${round}`, bytes("same"), { ifAbsent: true })),
    );
    expect(results.filter((result) => result === "created")).toHaveLength(1);
  }
});

test("a writer that gave up after a lost answer finds its own bytes by their checksum", async () => {
  server.orderFault({ kind: "lost-reply", method: "PUT" });
  const store = connect({ attemptsMax: 1 });
  const put = (): Promise<string> =>
    store.put("given-up", bytes("mine"), { ifAbsent: true, metadata: { sha256: "0a" } });
  await expect(put()).rejects.toEqual(failure("store.unavailable"));
  expect(await put()).toBe("exists");
  expect((await store.head("given-up"))?.metadata).toEqual({ sha256: "0a" });
});

test("a store that overwrites where it should refuse is found by the probe", async () => {
  const careless = connect();
  const ignoring: ObjectStore = {
    put: (key, body) => careless.put(key, body),
    get: (key) => careless.get(key),
    head: (key) => careless.head(key),
    list: (prefix) => careless.list(prefix),
    delete: (key) => careless.delete(key),
  };
  await expect(probeStore(ignoring)).rejects.toEqual(failure("store.no_conditional_put"));
  expect(await keysOf(careless, "probe/")).toEqual([]);
});

test("credentials that nobody has are a matter for a person", () => {
  const cause = Object.assign(new Error("Could not load credentials from any providers"), {
    name: "CredentialsProviderError",
  });
  expect(s3Error(cause, "put a")).toMatchObject({ code: "store.denied", cause });
  const known = new PipelineError("store.conflict", "as it was");
  expect(s3Error(known, "put a")).toBe(known);
});
