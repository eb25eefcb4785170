// Links that are slow, dead or half open, over real sockets: nothing waits for them but the rows that they are to bring.
import { createServer, type Server, type Socket } from "node:net";
import { syncSettingsSchema } from "@sluice/edge/sync/settings.ts";
import { Uplink } from "@sluice/edge/sync/uplink.ts";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { S3Store } from "@sluice/shared/store/s3.ts";
import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import { type RunningObjectStore, startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { expect, test } from "vitest";
import { BufferWithRows } from "./buffer-with-rows.ts";

const KEYS = { accessKeyId: "sluice", secretAccessKey: "sluice-secret" };

function connect(endpoint: string, more: object = {}): S3Store {
  const lake = { kind: "s3", endpoint, bucket: "lake", ...KEYS, attemptsMax: 1, ...more };
  const settings = storeSettingsSchema.parse(lake);
  if (settings.kind !== "s3") throw new Error("these are the settings of an S3 store");
  return new S3Store(settings, { clock: systemClock, random: seededRandom(1) });
}

function uplinkTo(store: ObjectStore, buffer: BufferWithRows, more: object = {}): Uplink {
  return new Uplink({
    settings: syncSettingsSchema.parse({
      batchRowsMax: 10,
      retryBaseMs: 10,
      retryMaxMs: 50,
      stopFlushMs: 0,
      pollMs: 10,
      ...more,
    }),
    gateway: "site-1",
    store,
    pending: buffer.state,
    encode: encodeLanding,
    clock: systemClock,
    random: seededRandom(1),
    log: silentLog,
    failed: (error) => {
      throw error;
    },
  });
}

const listening = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(`http://127.0.0.1:${typeof address === "object" ? (address?.port ?? 0) : 0}`);
    });
  });

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await systemClock.sleep(5);
}

/** Waits for some failed uploads, and sees to it that steps are committed and batches made all the while. */
async function failsWithoutHoldingUp(
  uplink: Uplink,
  buffer: BufferWithRows,
  failures: number,
): Promise<void> {
  await uplink.start();
  await until(() => {
    buffer.step({ messages: 10 });
    return uplink.stats().failedUploads >= failures;
  });
  const { sealed } = uplink.stats();
  buffer.step({ messages: 10 });
  uplink.nudge();
  await until(() => uplink.stats().sealed.batches > sealed.batches);
  expect(uplink.stats()).toMatchObject({ lake: "away", delivered: { batches: 0 } });
  await uplink.stop();
}

/** Sends all of it to a lake that works; every row is there once. */
async function drains(
  server: RunningObjectStore,
  buffer: BufferWithRows,
  tried: readonly string[],
): Promise<void> {
  const store = connect(server.endpoint);
  const uplink = uplinkTo(store, buffer);
  expect(await uplink.flush(60_000)).toBe(true);
  expect(uplink.stats()).toMatchObject({ divergedBatches: 0, pendingRows: 0 });
  let next = 0;
  const checksums: string[] = [];
  for await (const { key } of store.list("landing/readings/")) {
    const [, from, to] = /(\d+)-(\d+)\.arrow/.exec(key) ?? [];
    expect(Number(from)).toBe(next);
    next = Number(to) + 1;
    checksums.push((await store.head(key))?.metadata["sha256"] ?? "");
  }
  expect(next).toBe(buffer.state.decodedThrough + 1);
  // What was tried before is what has come.
  expect(checksums.slice(0, tried.length)).toEqual(tried);
  store.close();
}

const firstChecksum = (buffer: BufferWithRows): string[] =>
  buffer.state.peekOutbox(1, "readings").map(({ sha256 }) => sha256);

test("a server that takes connections and never answers holds up nothing, and the same bytes go when it is well", async () => {
  const sockets = new Set<Socket>();
  const hole = createServer((socket) => {
    sockets.add(socket.on("error", () => undefined));
    socket.resume(); // Half open for us: it reads, and never says a word.
  });
  const server = await startObjectStore();
  const buffer = new BufferWithRows(systemClock);
  const store = connect(await listening(hole));
  await failsWithoutHoldingUp(uplinkTo(store, buffer, { uploadTimeoutMs: 100 }), buffer, 3);
  const tried = firstChecksum(buffer);
  store.close();
  for (const socket of sockets) socket.destroy();
  hole.close();
  buffer.reopen();
  await drains(server, buffer, tried);
  expect(tried).toHaveLength(1);
  buffer.close();
  await server.stop();
}, 120_000);

test("a name that does not resolve, a port where nobody listens and a reset connection are waited out alike", async () => {
  const resetting = createServer((socket) => socket.on("error", () => undefined).resetAndDestroy());
  const closed = createServer();
  const closedAt = await listening(closed);
  await new Promise((resolve) => closed.close(resolve));
  for (const endpoint of ["http://lake.invalid:9000", closedAt, await listening(resetting)]) {
    const server = await startObjectStore();
    const buffer = new BufferWithRows(systemClock);
    const store = connect(endpoint, { connectTimeoutMs: 500, timeoutMs: 1_000 });
    const uplink = uplinkTo(store, buffer, { uploadTimeoutMs: 2_000 });
    await failsWithoutHoldingUp(uplink, buffer, 2);
    expect(["store.unavailable", "store.timeout"]).toContain(uplink.stats().lastError?.code);
    store.close();
    buffer.reopen();
    await drains(server, buffer, firstChecksum(buffer));
    buffer.close();
    await server.stop();
  }
  resetting.close();
}, 120_000);

test("over a link with latency several uploads are under way at once, and the order of ranges is whole", async () => {
  const server = await startObjectStore();
  server.orderFault({ kind: "slow", ms: 50, method: "PUT", count: 1_000_000 });
  const buffer = new BufferWithRows(systemClock);
  for (let i = 0; i < 40; i++) buffer.step({ messages: 10 });
  const store = connect(server.endpoint);
  let [underWay, most] = [0, 0];
  const counting: ObjectStore = {
    put: async (key, body, options) => {
      most = Math.max(most, ++underWay);
      return store.put(key, body, options).finally(() => underWay--);
    },
    get: (key, options) => store.get(key, options),
    head: (key) => store.head(key),
    list: (prefix, options) => store.list(prefix, options),
    delete: (key) => store.delete(key),
  };
  const uplink = uplinkTo(counting, buffer, { uploadsMax: 8 });
  expect(await uplink.flush(60_000)).toBe(true);
  expect([most, uplink.stats().delivered.batches]).toEqual([8, 40]);
  store.close();
  server.clearFaults();
  await drains(server, buffer, []);
  buffer.close();
  await server.stop();
}, 120_000);
