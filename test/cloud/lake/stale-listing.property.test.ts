// Goal: a store whose lists lag neither loses a row nor doubles one: what is not shown yet comes later, what is shown
// although it is gone is passed over, and what is behind a gap that is none is found by its name.
// Method: random commands against a store that shows and hides each object of landing with a delay of its own; the
// table must be a part of what landed, without doubles, at every moment, and all of it when the lists have caught up.
import { seededRandom, type Random } from "@sluice/shared/runtime/random.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectInfo, ObjectStore, PutOptions } from "@sluice/shared/store/object-store.ts";
import { compareKeys } from "@sluice/shared/store/key.ts";
import { array, assert, asyncProperty, constantFrom, integer } from "fast-check";
import { expect, test } from "vitest";
import { DAY_US, landReadings } from "./rows.ts";
import { freshCommitter, idsOf, readingIds } from "./table-reader.ts";

/** Lists of landing objects that show each change only after a number of other lists. */
class LaggingStore implements ObjectStore {
  readonly #store = new MemoryStore();
  readonly #random: Random;
  readonly #lagMax: number;
  /** Which list is the first that shows that a key has come or gone. */
  readonly #changes: { readonly key: string; readonly bytes: number | undefined; readonly from: number }[] =
    [];
  #lists = 0;

  constructor(random: Random, lagMax: number) {
    this.#random = random;
    this.#lagMax = lagMax;
  }

  async put(key: string, body: Uint8Array, options?: PutOptions): Promise<"created" | "exists"> {
    const result = await this.#store.put(key, body, options);
    if (result === "created") this.#change(key, body.length);
    return result;
  }

  get(...args: Parameters<ObjectStore["get"]>): ReturnType<ObjectStore["get"]> {
    return this.#store.get(...args);
  }

  head(key: string): ReturnType<ObjectStore["head"]> {
    return this.#store.head(key);
  }

  async *list(prefix: string, options?: { readonly startAfter?: string }): AsyncIterable<ObjectInfo> {
    if (!prefix.startsWith("landing/")) {
      yield* this.#store.list(prefix, options);
      return;
    }
    this.#lists++;
    const shown = new Map<string, number>();
    for (const { key, bytes, from } of this.#changes) {
      if (from > this.#lists) continue;
      if (bytes === undefined) shown.delete(key);
      else shown.set(key, bytes);
    }
    const after = options?.startAfter ?? "";
    for (const key of [...shown.keys()].sort(compareKeys))
      if (key.startsWith(prefix) && compareKeys(key, after) > 0) yield { key, bytes: shown.get(key) ?? 0 };
  }

  async delete(key: string): Promise<void> {
    await this.#store.delete(key);
    this.#change(key, undefined);
  }

  catchUp(): void {
    this.#lists += this.#lagMax + 1;
  }

  #change(key: string, bytes: number | undefined): void {
    this.#changes.push({ key, bytes, from: this.#lists + this.#random.int(this.#lagMax + 1) });
  }
}

test("a list that lags by any number of calls neither loses a row nor doubles one", async () => {
  await assert(
    asyncProperty(
      array(constantFrom("land", "land", "land other", "commit", "commit", "restart", "wait"), {
        maxLength: 30,
      }),
      integer({ min: 0, max: 6 }),
      integer(),
      async (commands, lagMax, seed) => {
        const random = seededRandom(seed);
        const store = new LaggingStore(random, lagMax);
        const clock = new SimulatedClock(DAY_US);
        const fresh = (): ReturnType<typeof freshCommitter> =>
          freshCommitter(store, { clock, landingGraceMs: 5_000, commitBytesMax: 4_000 });
        const unusable: unknown[] = [];
        let committer = fresh();
        const landed = { "gw-1": 0, "gw-2": 0 };
        const all = (): readonly string[] => [
          ...idsOf("gw-1", 0, landed["gw-1"] - 1),
          ...idsOf("gw-2", 0, landed["gw-2"] - 1),
        ];
        for (const command of commands) {
          if (command === "restart") committer = fresh();
          else if (command === "wait") await clock.advance(6_000);
          else if (command === "commit") {
            const report = await committer.run();
            unusable.push(...report.lost, ...report.setAside);
          } else {
            const gateway = command === "land" ? "gw-1" : "gw-2";
            const from = landed[gateway];
            landed[gateway] += 1 + random.int(3);
            await landReadings(store, from, landed[gateway] - 1, { gateway });
          }
        }
        expect(unusable).toEqual([]);
        const before = await readingIds(store);
        expect(new Set(before).size).toBe(before.length);
        store.catchUp();
        expect((await committer.run()).gaps).toEqual([]);
        expect(await readingIds(store)).toEqual(all());
        await clock.advance(6_000);
        store.catchUp();
        await committer.run();
        store.catchUp();
        await fresh().run();
        expect((await Array.fromAsync(store.list("landing/"))).map(({ key }) => key)).toEqual([]);
        expect(await Array.fromAsync(store.list("quarantine/"))).toEqual([]);
      },
    ),
    { numRuns: 30 },
  );
}, 60_000);
