import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { listLog } from "@sluice/cloud/lake/delta-listing.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { appendOf, putCommit, TABLE } from "./delta-table.ts";

/** What each commit says of its writer and time; ours is the program that makes times grow. */
const writers = fc.array(fc.record({ own: fc.boolean(), atMs: fc.option(fc.nat({ max: 60 })) }), {
  minLength: 1,
  maxLength: 30,
});

test("a time means the last version that was committed by then, whatever the clocks of other engines say", async () => {
  await fc.assert(
    fc.asyncProperty(writers, fc.array(fc.nat({ max: 100 }), { maxLength: 8 }), async (commits, times) => {
      const store = new MemoryStore();
      const log = new DeltaLog(store, TABLE);
      const expected: number[] = [];
      for (const [version, { own, atMs }] of commits.entries()) {
        const statedMs = atMs ?? 0;
        const append = appendOf("gw", version - 1, version, statedMs);
        if (own || version === 0)
          await log.append({ ...append, commitInfo: { ...append.commitInfo, engineInfo: "sluice" } });
        else {
          const timestamp = atMs === null ? {} : { timestamp: atMs };
          await putCommit(store, version, { commitInfo: timestamp }, ...append.actions);
          await log.refresh();
        }
        expected.push(Math.max((expected.at(-1) ?? -1) + 1, statedMs));
      }
      const reader = new DeltaLog(store, TABLE);
      for (const atMs of times)
        expect((await reader.at({ atMs })).version).toBe(expected.findLastIndex((ms) => ms <= atMs));
      const history = await reader.history(7);
      expect(history.map(({ committedAtMs }) => committedAtMs)).toEqual(expected.slice(-7));
    }),
    { numRuns: 100 },
  );
});

test("few commits are read to find the version of a time in a long log", async () => {
  const store = new MemoryStore();
  const log = new DeltaLog(store, TABLE);
  for (let i = 0; i < 500; i++) {
    const append = appendOf("gw", i - 1, i, i * 1_000);
    await log.append({ ...append, commitInfo: { ...append.commitInfo, engineInfo: "sluice" } });
  }
  let gets = 0;
  class Counting extends MemoryStore {
    override get(...args: Parameters<MemoryStore["get"]>): ReturnType<MemoryStore["get"]> {
      gets++;
      return store.get(...args);
    }
    override head(key: string): ReturnType<MemoryStore["head"]> {
      return store.head(key);
    }
    override list(...args: Parameters<MemoryStore["list"]>): ReturnType<MemoryStore["list"]> {
      return store.list(...args);
    }
  }
  const reader = new DeltaLog(new Counting(), TABLE);
  await reader.refresh();
  gets = 0;
  expect((await reader.at({ atMs: 499_000 })).version).toBe(499);
  expect(gets).toBeLessThan(12);
  expect((await listLog(store, `${TABLE}_delta_log/`)).commits).toHaveLength(500);
});
