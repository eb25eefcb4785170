import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lake } from "../../cloud/lake/lake.ts";
import { lakeSettingsSchema } from "../../cloud/lake/settings.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import { landingKey, SHA256_METADATA } from "@sluice/shared/contract/lake-key.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { newUuid, seededRandom } from "@sluice/shared/runtime/random.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { openStore } from "@sluice/shared/store/open.ts";
import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { readings } from "./readings.ts";
import { atMost, type BenchLine, count } from "./line.ts";

/** Several commits, so that one is read while another is written. */
const LANDING = { gateways: 3, objects: 150, rows: 20_000 };

const GATEWAYS = 200;
const SMALL_OBJECTS = 10_000;
const SMALL_ROWS = 100;
const SMALL_SECONDS_MAX = 120;

/** What committing everything that has landed took. */
interface Committed {
  readonly seconds: number;
  /** Of one processor: the machine may be busy with other things. */
  readonly processorSeconds: number;
  readonly rows: number;
  readonly tableBytes: number;
  readonly heldMib: number;
}

async function commit(store: ObjectStore): Promise<Committed> {
  const cacheDir = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  try {
    const lake = await Lake.open({
      store,
      settings: lakeSettingsSchema.parse({ cacheDir }),
      clock: systemClock,
      log: silentLog,
    });
    const startedAt = performance.now();
    const cpu = process.cpuUsage();
    const { rows, heldBytesMax } = await lake.commitLanding();
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (performance.now() - startedAt) / 1_000;
    const tableBytes = (await lake.tables()).reduce((sum, { bytes }) => sum + bytes, 0);
    await lake.close();
    return {
      seconds,
      processorSeconds: (user + system) / 1e6,
      rows,
      tableBytes,
      heldMib: heldBytesMax / 1_048_576,
    };
  } finally {
    await rm(cacheDir, { recursive: true, force: true });
  }
}

interface Landing {
  readonly gateways: number;
  readonly objects: number;
  readonly rows: number;
}

/** Puts objects of readings, the same number for each gateway; returns their bytes. */
async function land(store: ObjectStore, { gateways, objects, rows }: Landing): Promise<number> {
  const epoch = newUuid();
  let bytes = 0;
  // The same bytes for all gateways: encoding them is not what is measured.
  const bodies = Array.from({ length: objects / gateways }, (_, i) =>
    encodeLanding("readings", [readings(rows, i * rows)]),
  );
  for (let gateway = 0; gateway < gateways; gateway++)
    await Promise.all(
      bodies.map(async (body, i) => {
        const range = { gateway: `bench-${gateway}`, epoch, from: i * rows, to: (i + 1) * rows - 1 };
        bytes += body.length;
        await store.put(landingKey({ stream: "readings", ...range }), body, {
          metadata: { [SHA256_METADATA]: sha256Hex(body) },
        });
      }),
    );
  return bytes;
}

/** Three million readings from landing objects into a Delta table, in memory, so that the code is measured and no disk. */
export async function benchLake(say: (text: string) => void): Promise<readonly BenchLine[]> {
  say("landing to table");
  const store = new MemoryStore();
  const landedBytes = await land(store, LANDING);
  // A service commits again and again: the code is warm.
  const warm = new MemoryStore();
  await land(warm, { ...LANDING, objects: 15 });
  await commit(warm);
  const done = await commit(store);
  const perSecond = done.rows / done.seconds;
  const perProcessorSecond = done.rows / done.processorSeconds;
  return [
    {
      what: `landing to table, ${LANDING.objects} objects of ${count(LANDING.rows)} readings`,
      measured: `${count(perSecond)} rows/s`,
      // Two threads share the work: on a busy machine the clock says less than what it took of a processor.
      reference: `${count(perProcessorSecond)} rows per processor second, ${done.heldMib.toFixed(0)} MiB held`,
      value: perSecond,
      mark: "1,000,000 rows/s",
      reached: perSecond >= 1_000_000,
    },
    atMost("landing object", landedBytes / done.rows, { unit: "bytes/reading", mark: 6 }),
    atMost("table file", done.tableBytes / done.rows, { unit: "bytes/reading", mark: 5 }),
    ...(await benchSmallObjects(say)),
  ];
}

async function benchSmallObjects(say: (text: string) => void): Promise<readonly BenchLine[]> {
  const landing = { gateways: GATEWAYS, objects: SMALL_OBJECTS, rows: SMALL_ROWS };
  const what = `${count(SMALL_OBJECTS)} small objects of ${GATEWAYS} gateways committed`;
  const outside = { clock: systemClock, random: seededRandom(1) };
  const measure = async (name: string, store: ObjectStore): Promise<BenchLine> => {
    say(`${count(SMALL_OBJECTS)} small objects, ${name}`);
    await land(store, landing);
    const done = await commit(store);
    if (done.rows !== SMALL_OBJECTS * SMALL_ROWS) throw new Error(`${done.rows} rows were committed`);
    const line = atMost(`${what}, ${name}`, done.seconds, { unit: "s", mark: SMALL_SECONDS_MAX });
    const facts = `${done.processorSeconds.toFixed(0)} s of one processor, ${done.heldMib.toFixed(0)} MiB held`;
    return { ...line, reference: facts };
  };
  const dir = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  const server = await startObjectStore();
  try {
    const { endpoint, accessKeyId, secretAccessKey, bucket } = server;
    const s3 = { kind: "s3" as const, endpoint, accessKeyId, secretAccessKey, bucket };
    return [
      await measure("folder", await openStore({ kind: "folder", path: dir }, outside)),
      await measure("S3 server in the same process", await openStore(storeSettingsSchema.parse(s3), outside)),
    ];
  } finally {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  }
}
