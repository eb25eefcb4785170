import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { expect, test } from "vitest";
import { appendOf, TABLE } from "./delta-table.ts";

const COMMITS = 10_000;
const STEP = 1_000;

/** Requests to the store. */
class CountingStore extends MemoryStore {
  gets = 0;
  override get(...args: Parameters<MemoryStore["get"]>): ReturnType<MemoryStore["get"]> {
    this.gets++;
    return super.get(...args);
  }
}

/**
 * Goal: ten thousand versions cost the last commit what they cost the first, and reading stays short. Method: commits of
 * one small file each, processor time by the thousand, because other programs share the clock on the wall.
 */
test(
  "the last thousand of ten thousand commits cost about what the first thousand do",
  { timeout: 120_000 },
  async () => {
    const store = new CountingStore();
    const log = new DeltaLog(store, TABLE);
    const costs: number[] = [];
    // The first commits also pay for compiling the code: they are made on another table.
    const warm = new DeltaLog(new MemoryStore(), TABLE);
    for (let i = 0; i < 3 * STEP; i++) await warm.append(appendOf("gw", i - 1, i));
    for (let from = 0; from < COMMITS; from += STEP) {
      const before = process.cpuUsage();
      for (let i = from; i < from + STEP; i++) await log.append(appendOf("gw", i - 1, i, i));
      const { user, system } = process.cpuUsage(before);
      costs.push((user + system) / STEP);
    }
    const [first = 0, last = Infinity] = [costs[0], costs.at(-1)];
    expect(last / first, `µs per commit: ${costs.map(Math.round).join(" ")}`).toBeLessThan(1.5);
    store.gets = 0;
    const fresh = await new DeltaLog(store, TABLE).refresh();
    expect(fresh).toMatchObject({ version: COMMITS - 1, files: { size: COMMITS } });
    // A hint, a checkpoint with its commit, and the commits behind it.
    expect(store.gets).toBeLessThanOrEqual(3 + STEP);
  },
);
