import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { Lease } from "@sluice/cloud/lake/lease.ts";
import {
  array,
  assert,
  asyncProperty,
  constant,
  constantFrom,
  integer,
  nat,
  oneof,
  record,
} from "fast-check";
import { expect, test } from "vitest";
import { DAY_US } from "./rows.ts";

const FAIL_OVER_MS = 60_000;
const PROCESSES = 4;

/** How the store treats one operation: as it should, not at all, done with its answer lost, or with a list that lags. */
type Fault = "none" | "refused" | "answer-lost" | "stale-list";

/** A store whose next operation of one process fails as the fault says. */
class FaultyLeaseStore implements ObjectStore {
  readonly #store: MemoryStore;
  fault: Fault = "none";

  constructor(store: MemoryStore) {
    this.#store = store;
  }

  async put(...args: Parameters<ObjectStore["put"]>): ReturnType<ObjectStore["put"]> {
    if (this.fault === "refused") throw new PipelineError("store.unavailable", "refused");
    const result = await this.#store.put(...args);
    if (this.fault === "answer-lost") throw new PipelineError("store.timeout", "no answer came");
    return result;
  }

  get(...args: Parameters<ObjectStore["get"]>): ReturnType<ObjectStore["get"]> {
    return this.#store.get(...args);
  }

  head(...args: Parameters<ObjectStore["head"]>): ReturnType<ObjectStore["head"]> {
    return this.#store.head(...args);
  }

  async *list(...args: Parameters<ObjectStore["list"]>): ReturnType<ObjectStore["list"]> {
    const all = await Array.fromAsync(this.#store.list(...args));
    yield* this.fault === "stale-list" ? all.slice(0, -3) : all;
  }

  delete(key: string): Promise<void> {
    return this.#store.delete(key);
  }
}

const commandArbitrary = oneof(
  record({
    what: constant("ask" as const),
    who: nat({ max: PROCESSES - 1 }),
    fault: constantFrom<Fault>("none", "none", "none", "refused", "answer-lost", "stale-list"),
  }),
  record({ what: constant("wait" as const), ms: integer({ min: 0, max: 50_000 }) }),
  record({ what: constant("release" as const), who: nat({ max: PROCESSES - 1 }) }),
  record({ what: constant("restart" as const), who: nat({ max: PROCESSES - 1 }) }),
);

test("at most one process has the lease after any sequence of asking, waiting, dying and failing, and one can always get it", async () => {
  await assert(
    asyncProperty(
      array(commandArbitrary, { maxLength: 60 }),
      array(integer({ min: -1_200_000_000, max: 1_200_000_000 }), {
        minLength: PROCESSES,
        maxLength: PROCESSES,
      }),
      async (commands, skewsUs) => {
        const store = new MemoryStore();
        const clock = new SimulatedClock(DAY_US);
        const start = (who: number): { readonly lease: Lease; readonly store: FaultyLeaseStore } => {
          const skewUs = skewsUs[who] ?? 0;
          const faulty = new FaultyLeaseStore(store);
          const ownClock = {
            nowUs: () => clock.nowUs() + skewUs,
            monotonicUs: () => clock.monotonicUs(),
            sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
          };
          const options = { store: faulty, clock: ownClock, name: "lake", failOverMs: FAIL_OVER_MS };
          return { lease: new Lease({ ...options, owner: `host-${who}` }), store: faulty };
        };
        const processes = Array.from({ length: PROCESSES }, (_, who) => start(who));
        for (const command of commands) {
          if (command.what === "wait") await clock.advance(command.ms);
          else if (command.what === "restart") processes[command.who] = start(command.who);
          else {
            const process = processes[command.who];
            if (process === undefined) continue;
            process.store.fault = command.what === "ask" ? command.fault : "none";
            if (command.what === "ask") await process.lease.ask().catch(() => undefined);
            else await process.lease.release();
          }
          expect(processes.filter(({ lease }) => lease.isHeld).length).toBeLessThanOrEqual(1);
        }
        // Whatever happened: one that goes on asking while the others are silent gets it within the fail-over time.
        const last = processes[0];
        if (last === undefined) return;
        last.store.fault = "none";
        await last.lease.ask();
        for (let waitedMs = 0; waitedMs <= FAIL_OVER_MS && !last.lease.isHeld;) {
          await clock.advance(last.lease.lookEveryMs);
          waitedMs += last.lease.lookEveryMs;
          await last.lease.ask();
        }
        expect(last.lease.isHeld).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});
