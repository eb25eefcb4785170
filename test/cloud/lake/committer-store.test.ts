// Goal: whatever a store refuses or breaks, the committer says which object and what to do about it, deletes nothing
// that was not proven committed, and commits every row once as soon as the store is well again.
// Method: an S3 server on loopback with ordered faults and a clock of its own.
import { type Clock, systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { openStore } from "@sluice/shared/store/open.ts";
import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import type { Fault } from "@sluice/simulators/object-store/faults.ts";
import { type RunningObjectStore, startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { expect, onTestFinished, test } from "vitest";
import { landReadings } from "./rows.ts";
import { freshCommitter, idsOf, readingIds } from "./table-reader.ts";

async function startServer(clock?: Clock): Promise<RunningObjectStore> {
  const server = await startObjectStore(clock === undefined ? {} : { clock });
  onTestFinished(() => server.stop());
  return server;
}

function storeOf(server: RunningObjectStore, change: object = {}): Promise<ObjectStore> {
  const { endpoint, bucket, accessKeyId, secretAccessKey } = server;
  const settings = storeSettingsSchema.parse({
    ...{ kind: "s3", endpoint, bucket, accessKeyId, secretAccessKey },
    ...{ attemptsMax: 2, retryBaseMs: 1, retryMaxMs: 2 },
    ...change,
  });
  return openStore(settings, { clock: systemClock, random: seededRandom(1) });
}

/** Three batches of two gateways. */
async function land(store: ObjectStore): Promise<void> {
  await landReadings(store, 0, 4);
  await landReadings(store, 5, 9);
  await landReadings(store, 0, 4, { gateway: "gw-2" });
}

const EXPECTED = [...idsOf("gw-1", 0, 9), ...idsOf("gw-2", 0, 4)];
/** One object a commit; what is committed may go in the same moment. */
const eager = { landingGraceMs: -1, commitBytesMax: 1 };

const outcomeOf = (store: ObjectStore): Promise<{ code: string; text: string }> =>
  freshCommitter(store, eager)
    .run()
    .then(
      () => ({ code: "committed", text: "" }),
      (error: unknown) =>
        error instanceof PipelineError
          ? { code: error.code, text: `${error.message} ${error.hint ?? ""}` }
          : { code: "unknown", text: String(error) },
    );

const ALWAYS = Number.MAX_SAFE_INTEGER;

const REFUSALS: Readonly<Record<string, { fault: Fault; code: string; says: RegExp }>> = {
  "a read-only bucket": {
    fault: { kind: "refuse", status: 403, code: "AccessDenied", method: "PUT", count: ALWAYS },
    code: "store.denied",
    says: /put tables\/readings\/.*parquet.*AccessDenied.*policy/,
  },
  "landing objects that may not be read": {
    fault: {
      kind: "refuse",
      status: 403,
      code: "AccessDenied",
      method: "GET",
      key: /^landing/,
      count: ALWAYS,
    },
    code: "store.denied",
    says: /get landing\/readings\/gateway=gw-1.*0000000000000000-0000000000000004/,
  },
  "landing objects that may not be deleted": {
    fault: { kind: "refuse", status: 403, code: "AccessDenied", method: "DELETE", count: ALWAYS },
    code: "store.denied",
    says: /delete landing\/readings\/gateway=gw-1/,
  },
  "a token that has expired": {
    fault: { kind: "refuse", status: 400, code: "ExpiredToken", count: ALWAYS },
    code: "store.denied",
    says: /ExpiredToken.*new credentials/,
  },
  "a storm of 503 SlowDown": {
    fault: { kind: "refuse", status: 503, code: "SlowDown", count: ALWAYS },
    code: "store.unavailable",
    says: /SlowDown/,
  },
  "answers that break off": {
    fault: { kind: "torn-read", key: /^landing/, count: ALWAYS },
    code: "store.unavailable",
    says: /get landing\/readings\/gateway=gw-1/,
  },
};

test.each(Object.entries(REFUSALS))(
  "%s is told with the object and the remedy; nothing is lost, and all is committed once it is over",
  async (_, { fault, code, says }) => {
    const server = await startServer();
    const store = await storeOf(server);
    await land(store);
    const landed = await Array.fromAsync(store.list("landing/"));
    server.orderFault(fault);
    const outcome = await outcomeOf(store);
    server.clearFaults();
    expect(outcome).toEqual({ code, text: expect.stringMatching(says) });
    expect(await Array.fromAsync(store.list("landing/"))).toEqual(landed);
    expect(await Array.fromAsync(store.list("quarantine/"))).toEqual([]);
    expect((await outcomeOf(store)).code).toBe("committed");
    expect(await readingIds(store)).toEqual(EXPECTED);
  },
);

test.each([
  ["a cut connection", { kind: "cut" }],
  ["a lost answer to a commit", { kind: "lost-reply", key: /_delta_log/, method: "PUT" }],
  ["a lost answer to a table file", { kind: "lost-reply", key: /parquet/, method: "PUT" }],
  ["a torn landing object", { kind: "torn-read", key: /^landing/ }],
  ["one 503 SlowDown", { kind: "refuse", status: 503, code: "SlowDown" }],
  [
    "a conflict of two writers",
    { kind: "refuse", status: 409, code: "ConditionalRequestConflict", method: "PUT" },
  ],
] as const)("%s is passed over by trying again, and every row is there once", async (_, fault) => {
  const server = await startServer();
  const store = await storeOf(server);
  await land(store);
  server.orderFault(fault);
  expect((await outcomeOf(store)).code).toBe("committed");
  expect(server.stats().faults).toBe(1);
  expect(await readingIds(store)).toEqual(EXPECTED);
});

test("wrong credentials and a bucket that is missing are told before anything is done", async () => {
  const server = await startServer();
  expect(await outcomeOf(await storeOf(server, { secretAccessKey: "wrong" }))).toEqual({
    code: "store.denied",
    text: expect.stringMatching(/tables\/readings\/.*SignatureDoesNotMatch.*secretAccessKey/),
  });
  expect(await outcomeOf(await storeOf(server, { bucket: "elsewhere" }))).toEqual({
    code: "store.missing",
    text: expect.stringMatching(/in bucket elsewhere .*NoSuchBucket.*Make the bucket/),
  });
});

test.each([20, -20])("a clock that is %d minutes off commits all the same", async (minutes) => {
  const offUs = minutes * 60_000_000;
  const server = await startServer({ ...systemClock, nowUs: () => systemClock.nowUs() + offUs });
  const store = await storeOf(server);
  await land(store);
  expect((await outcomeOf(store)).code).toBe("committed");
  expect(await readingIds(store)).toEqual(EXPECTED);
});
