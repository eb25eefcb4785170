import { encodeArrow } from "@sluice/shared/codec/arrow-ipc.ts";
import { decodeLanding, encodeLanding } from "@sluice/shared/codec/landing.ts";
import { landingKey } from "@sluice/shared/contract/lake-key.ts";
import { LANDING_COLUMNS } from "@sluice/shared/contract/table.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectInfo } from "@sluice/shared/store/object-store.ts";
import { zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { DAY_US, EPOCH, landReadings, readingBlock, vector } from "./rows.ts";
import { freshCommitter, idsOf, readingIds, readTable } from "./table-reader.ts";

/** A batch of features as a gateway of another version lands it. */
function otherVersion(drop: readonly string[], add: readonly string[]): Uint8Array {
  const { count, columns } = decodeLanding("features", encodeLanding("features", [[vector(0)]]));
  const values = { kind: "numbers" as const, values: new Float64Array(count) };
  const schema = [
    ...LANDING_COLUMNS.features.filter(({ name }) => !drop.includes(name)),
    ...add.map((name) => ({ name, type: "double" as const, nullable: false })),
  ];
  return zstdCompressSync(
    encodeArrow(schema, {
      count,
      columns: { ...columns, ...Object.fromEntries(add.map((n) => [n, values])) },
    }),
  );
}

test("gateways of older and newer versions land beside each other, and what is left out is told once", async () => {
  const store = new MemoryStore();
  const at = (gateway: string): string =>
    landingKey({ stream: "features", gateway, epoch: EPOCH, from: 0, to: 0 });
  await store.put(at("gw-old"), otherVersion(["closed_by", "violations", "withheld"], []));
  await store.put(at("gw-new"), otherVersion([], ["novelty", "age"]));
  const warned: object[] = [];
  const committer = freshCommitter(store, { log: { ...silentLog, warn: (fields) => warned.push(fields) } });
  const unknown = { stream: "features", gateway: "gw-new", columns: ["novelty", "age"] };
  expect(await committer.run()).toMatchObject({ rows: 2, lost: [], unknownColumns: [unknown] });
  await store.put(
    landingKey({ stream: "features", gateway: "gw-new", epoch: EPOCH, from: 1, to: 1 }),
    otherVersion([], []),
  );
  await committer.run();
  expect(warned.filter((fields) => "columns" in fields)).toEqual([unknown]);
  const rows = await readTable(store, "features");
  expect(rows.find((row) => row["gateway"] === "gw-old")).toMatchObject({
    closed_by: "watermark",
    withheld: false,
  });
});

test("a committer that loses its lease stops before its next commit, and another one ends what it began", async () => {
  let stops = 0;
  for (let k = 0; ; k++) {
    const store = new MemoryStore();
    for (let i = 0; i < 4; i++) await landReadings(store, i * 2, i * 2 + 1);
    let calls = 0;
    let commits = -1;
    const put = store.put.bind(store);
    store.put = (key, body, options) => {
      if (key.includes("_delta_log/0")) commits++;
      return put(key, body, options);
    };
    const requireHeld = (): void => {
      if (calls++ < k) return;
      throw new PipelineError("lake.lease_lost", "the lease is lost");
    };
    const outcome = await freshCommitter(store, { commitBytesMax: 1, landingGraceMs: -1 })
      .run(requireHeld)
      .then(
        () => "finished",
        (error: unknown) => (error instanceof PipelineError ? error.code : String(error)),
      );
    if (outcome === "finished") break;
    stops++;
    expect(outcome).toBe("lake.lease_lost");
    // Asked before each commit.
    expect(commits + 1).toBe(Math.min(4, k));
    await freshCommitter(store).run();
    expect(await readingIds(store)).toEqual(idsOf("gw-1", 0, 7));
  }
  expect(stops).toBeGreaterThan(4);
});

/** A store that counts what its lists say. */
class CountingStore extends MemoryStore {
  listed = 0;

  override async *list(...args: Parameters<MemoryStore["list"]>): AsyncIterable<ObjectInfo> {
    for await (const info of super.list(...args)) {
      this.listed++;
      yield info;
    }
  }
}

test("a pass costs by what is new, not by what waits out its grace", async () => {
  const store = new CountingStore();
  const clock = new SimulatedClock(DAY_US);
  const committer = freshCommitter(store, { clock });
  for (let i = 0; i < 1_200; i++) await landReadings(store, i, i);
  await landReadings(store, 0, 0, { gateway: "gw-2" });
  expect(await committer.run()).toMatchObject({ rows: 2_402, kept: 1_201 });
  store.listed = 0;
  await landReadings(store, 1_200, 1_200);
  expect(await committer.run()).toMatchObject({ rows: 2, kept: 1_202 });
  expect(store.listed).toBeLessThan(10);
  // A duplicate that comes late lies below what is expected: the full walk finds it, every ten minutes.
  const late = await landReadings(store, 3, 7);
  expect((await committer.run()).setAside).toEqual([]);
  await clock.advance(600_000);
  expect((await committer.run()).setAside).toMatchObject([{ key: late }]);
  await clock.advance(3_600_000);
  expect(await committer.run()).toMatchObject({ deleted: 1_202, kept: 0 });
});

test("one commit holds no more than its limit of rows, however well they are packed", async () => {
  const store = new MemoryStore();
  for (let i = 0; i < 10; i++) await landReadings(store, i * 100, i * 100 + 99);
  const report = await freshCommitter(store, { heldBytesMax: 30_000 }).run();
  expect(report).toMatchObject({ rows: 2_000, objects: 10 });
  expect(report.commits).toBeGreaterThan(3);
  // Two commits are under way, and the object that goes beyond the limit is more.
  expect(report.heldBytesMax).toBeLessThan(120_000);
  expect(await readingIds(store)).toEqual(idsOf("gw-1", 0, 999));
});

test("an object that a list shows for ever although it is gone holds up nobody else", async () => {
  const store = new MemoryStore();
  const ghost = landingKey({ stream: "readings", gateway: "gw-1", epoch: EPOCH, from: 0, to: 4 });
  await landReadings(store, 5, 9);
  await landReadings(store, 0, 4, { gateway: "gw-2" });
  const list = store.list.bind(store);
  store.list = async function* (prefix, options) {
    if (ghost.startsWith(prefix) && options?.startAfter === undefined) yield { key: ghost, bytes: 1_000 };
    yield* list(prefix, options);
  };
  const report = await freshCommitter(store).run();
  expect(report.gaps).toMatchObject([{ gateway: "gw-1", from: 0, to: 4, waiting: 1 }]);
  expect(await readingIds(store)).toEqual(idsOf("gw-2", 0, 4));
});

test("an object that is too large to be read is passed over with its reason, and stays where it is", async () => {
  const store = new MemoryStore();
  const large = await landReadings(store, 0, 4);
  await landReadings(store, 5, 9);
  const list = store.list.bind(store);
  store.list = async function* (prefix, options) {
    for await (const info of list(prefix, options))
      yield info.key === large ? { ...info, bytes: 300_000_000 } : info;
  };
  const committer = freshCommitter(store, { landingGraceMs: -1 });
  const report = await committer.run();
  expect(report.lost).toMatchObject([{ key: large, reason: "300000000 bytes, at most 268435456 are read" }]);
  expect(await readingIds(store)).toEqual(idsOf("gw-1", 5, 9));
  expect((await committer.run()).setAside).toEqual([]);
  expect((await store.get(large)).state).toBe("found");
});

test("the rows of one block are the same whether they come in one object or in many", async () => {
  const [one, many] = [new MemoryStore(), new MemoryStore()];
  await store(one, 0, 20);
  for (let i = 0; i < 20; i++) await store(many, i, 1);
  for (const lake of [one, many]) await freshCommitter(lake).run();
  expect(await readTable(one, "readings")).toEqual(await readTable(many, "readings"));

  async function store(lake: MemoryStore, from: number, messages: number): Promise<void> {
    const key = landingKey({
      stream: "readings",
      gateway: "gw-1",
      epoch: EPOCH,
      from,
      to: from + messages - 1,
    });
    await lake.put(key, encodeLanding("readings", [readingBlock(from, messages)]));
  }
});
