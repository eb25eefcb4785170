import { newUuid } from "@sluice/shared/runtime/random.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { cleanUpLog } from "@sluice/cloud/lake/delta-cleanup.ts";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { DeltaReader } from "@sluice/cloud/lake/delta-reader.ts";
import type { Snapshot } from "@sluice/cloud/lake/delta-snapshot.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { appendOf, fileOf, TABLE } from "./delta-table.ts";

const PREFIX = `${TABLE}_delta_log/`;
const WRITERS = 3;

type Command =
  | { readonly kind: "append"; readonly gateway: number }
  | { readonly kind: "rewrite"; readonly from: number; readonly count: number }
  | { readonly kind: "refresh" | "checkpoint" | "restart" | "cleanUp" };

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("append" as const), gateway: fc.nat({ max: 1 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("rewrite" as const),
      from: fc.nat({ max: 20 }),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom("refresh", "checkpoint", "restart", "cleanUp" as const) }),
  },
);

/** Rounds in which each writer does something at the same time. */
const rounds = fc.array(fc.tuple(command, command, command), { maxLength: 25 });

/** The rows that a file has, by its name: an append's file has one, a rewrite's those of the files that it replaces. */
const rowsOf = (path: string): readonly string[] => (/part-(.+)\.parquet/.exec(path)?.[1] ?? path).split("+");
const tableRows = ({ files }: Snapshot): string[] => [...files.keys()].flatMap(rowsOf).toSorted();

class Table {
  readonly store = new MemoryStore();
  readonly #logs = Array.from({ length: WRITERS }, () => new DeltaLog(this.store, TABLE));
  /** Rows that were said to be committed. */
  readonly committed: string[] = [];
  readonly conflicts: string[] = [];

  /** Runs a command by one writer, which knows what it has read and not what the others do. */
  async run(writer: number, command: Command): Promise<void> {
    const log = this.#logs[writer] ?? expect.fail();
    if (command.kind === "append") await this.#append(log, `gw-${command.gateway}`);
    else if (command.kind === "rewrite") await this.#rewrite(log, command);
    else if (command.kind === "refresh") await log.refresh();
    else if (command.kind === "checkpoint") await log.checkpoint();
    else if (command.kind === "restart") this.#logs[writer] = new DeltaLog(this.store, TABLE);
    else {
      const reader = new DeltaReader(this.store, PREFIX, (error) => expect.fail(error.message));
      await cleanUpLog({ store: this.store, prefix: PREFIX, reader, keepFromMs: Infinity });
    }
  }

  async #append(log: DeltaLog, appId: string): Promise<void> {
    await log.refresh();
    const before = log.snapshot.txns.get(appId)?.version ?? -1;
    const append = appendOf(appId, before, before + 1);
    if ((await log.append(append)) === "committed") this.committed.push(`${appId}-${before + 1}`);
  }

  async #rewrite(log: DeltaLog, { from, count }: Command & { kind: "rewrite" }): Promise<void> {
    const paths = [...log.snapshot.files.keys()];
    const remove = paths.slice(from % Math.max(1, paths.length)).slice(0, count);
    if (remove.length < 2) return;
    const add = [fileOf(remove.flatMap(rowsOf).join("+"))];
    const commitInfo = { txnId: newUuid(), timestamp: 7 };
    const result = await log.rewrite({ remove, add, commitInfo });
    if (result.state === "conflict") this.conflicts.push(result.reason);
  }
}

/**
 * Goal: no row is lost or there twice, whatever writers do at once and whenever they start anew. Method: three writers
 * on one store, each of whose rows is in the name of its file.
 */
test("whatever appends, rewrites, checkpoints and clean-ups do at once, each committed row is there once", async () => {
  await fc.assert(
    fc.asyncProperty(rounds, async (steps) => {
      const table = new Table();
      for (const step of steps) {
        await Promise.all(step.map((command, writer) => table.run(writer, command)));
        const problems: string[] = [];
        const fresh = new DeltaLog(table.store, TABLE, {
          onProblem: ({ message }) => problems.push(message),
        });
        expect(tableRows(await fresh.refresh())).toEqual(table.committed.toSorted());
        expect(problems).toEqual([]);
      }
      for (const reason of table.conflicts) expect(reason).toMatch(/another writer has removed/);
    }),
    { numRuns: 60 },
  );
});
