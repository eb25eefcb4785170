// Goal: `verify` says what is true. Method: random histories of a table (commits, ranges passed over, rows given up at
// the gateway, compaction, retention, objects that wait, gaps) are written by a model that knows what it did; then one
// thing is tampered with or nothing, and what is found must be what was done.
import {
  type Arbitrary,
  array,
  assert,
  asyncProperty,
  constant,
  constantFrom,
  integer,
  oneof,
  record,
} from "fast-check";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { type Verified, verifyLake, type VerifyScope } from "@sluice/cloud/lake/verify.ts";
import { expect, test } from "vitest";
import { DAY_US } from "./rows.ts";
import { History, type Landing, logKey } from "./verify-history.ts";

const RUNS = { numRuns: 100 };

async function verify(history: History, scope: VerifyScope = {}): Promise<Verified["report"]> {
  const { report } = await verifyLake(
    {
      store: history.store,
      sql: async () => ({ columns: [], rows: history.events }),
      clock: new SimulatedClock(DAY_US),
      tell: () => undefined,
    },
    scope,
  );
  return report;
}

const kinds = ({ findings }: Verified["report"], explained: boolean): readonly string[] =>
  findings.filter((finding) => finding.explained === explained).map(({ kind }) => kind);

const object = record({ messages: integer({ min: 1, max: 9 }), rows: integer({ min: 1, max: 30 }) });

type Step =
  | {
      readonly do: "commit";
      readonly objects: readonly { readonly messages: number; readonly rows: number }[];
    }
  | { readonly do: "lose" | "shed" }
  | { readonly do: "compact"; readonly files: number }
  | { readonly do: "expire"; readonly files: number };

const step: Arbitrary<Step> = oneof(
  {
    weight: 4,
    arbitrary: record({
      do: constant("commit"),
      objects: array(object, { minLength: 1, maxLength: 4 }),
    }),
  },
  record({ do: constantFrom("lose", "shed") }),
  record({ do: constant("compact"), files: integer({ min: 1, max: 5 }) }),
  record({ do: constant("expire"), files: integer({ min: 1, max: 2 }) }),
);

/** Does the steps; returns what must be found, each kind as often as it was done. */
async function play(history: History, steps: readonly Step[]): Promise<readonly string[]> {
  const found: string[] = [];
  const range = ({ messages, rows }: { readonly messages: number; readonly rows: number }): Landing =>
    history.range(messages, rows);
  await history.commit([range({ messages: 3, rows: 7 })]);
  for (const each of steps)
    switch (each.do) {
      case "commit":
        await history.commit(each.objects.map(range));
        break;
      case "lose":
        await history.commit([range({ messages: 2, rows: 2 })], [range({ messages: 4, rows: 0 })]);
        found.push("lost");
        break;
      case "shed": {
        const thinned = range({ messages: 8, rows: 4 });
        history.shed(thinned, 6);
        history.shed(thinned, 4);
        await history.commit([thinned]);
        found.push("shed", "shed");
        break;
      }
      case "compact":
        await history.rewrite(Math.min(each.files, history.files.length), { rows: 0, how: "same" });
        break;
      case "expire":
        await history.rewrite(Math.min(each.files, history.files.length), { rows: 1, how: "reason" });
        found.push("removed");
        break;
    }
  return found.sort();
}

test("an honest lake is never accused, and what is missing is named as often as it is", async () => {
  await assert(
    asyncProperty(array(step, { maxLength: 12 }), async (steps) => {
      const history = new History();
      const expected = await play(history, steps);
      await history.report(history.next - 1);
      const report = await verify(history);
      expect(kinds(report, false)).toEqual([]);
      expect([...kinds(report, true)].sort()).toEqual(expected);
      expect(report.state).toBe(expected.some((kind) => kind !== "removed") ? "explained" : "complete");
      expect(report.tables[0]).toMatchObject({ table: "readings", rows: history.rows });
      expect(report.gateways).toMatchObject([
        { gateway: "gw-1", through: history.next - 1, table: "readings" },
      ]);
    }),
    RUNS,
  );
});

/** Things that somebody may do to a lake, and the kinds of findings of which one must be there. */
const TAMPERINGS: Readonly<
  Record<string, readonly [tamper: (history: History) => Promise<void>, kinds: readonly string[]]>
> = {
  "a data file deleted": [(h) => h.store.delete(`tables/readings/${h.files.at(-1)?.path ?? ""}`), ["file"]],
  "a row removed from a data file": [
    async (h) => void (await h.store.put(`tables/readings/${h.files[0]?.path ?? ""}`, new Uint8Array(99))),
    ["file"],
  ],
  "the log's first entry removed": [(h) => h.store.delete(logKey(0)), ["log", "delivered_missing"]],
  "a log entry removed from the middle": [
    async (h) => {
      await h.commit([h.range(1, 1)]);
      await h.store.delete(logKey(h.version - 1));
    },
    ["log"],
  ],
  "the newest log entry removed": [
    async (h) => {
      await h.commit([h.range(1, 1)]);
      await h.report(h.next - 1);
      await h.store.delete(logKey(h.version));
    },
    ["delivered_missing"],
  ],
  "a range committed twice": [(h) => h.commit([{ from: h.next - 1, to: h.next - 1, rows: 1 }]), ["overlap"]],
  "a range left out": [
    async (h) => {
      h.range(3, 3);
      await h.commit([h.range(2, 2)]);
    },
    ["gap"],
  ],
  "fewer rows in a file than landed": [(h) => h.commit([h.range(5, 9)], [], 8), ["count"]],
  "a row lost by compaction": [(h) => h.rewrite(1, { rows: 1, how: "same" }), ["count"]],
  "rows deleted by another program": [(h) => h.rewrite(1, { rows: 2, how: "silent" }), ["count"]],
  "a landing object that is not the one that was committed": [
    async (h) => {
      const range = h.range(2, 2);
      await h.commit([range]);
      await h.land(range, "f".repeat(64));
    },
    ["landing_differs"],
  ],
  "a batch with other rows than the gateway left in it": [
    async (h) => {
      const range = h.range(8, 5);
      h.shed(range, 4);
      await h.commit([range]);
    },
    ["count"],
  ],
  "landing objects deleted before they were committed": [(h) => h.report(h.next + 5), ["delivered_missing"]],
  "a landing object deleted from between two": [
    async (h) => {
      const [, second] = [h.range(2, 2), h.range(2, 2)];
      await h.land(second);
      await h.report(h.next - 1);
    },
    ["gap"],
  ],
};

test.each(Object.entries(TAMPERINGS))("%s is caught after any history", async (_, [tamper, expected]) => {
  await assert(
    asyncProperty(array(step, { maxLength: 8 }), async (steps) => {
      const history = new History();
      await play(history, steps);
      await history.report(history.next - 1);
      await tamper(history);
      const report = await verify(history);
      expect(report.state).toBe("unexplained");
      expect(kinds(report, false).some((kind) => expected.includes(kind))).toBe(true);
    }),
    { numRuns: 25 },
  );
});

test("what is on its way is explained: landed, in the outbox, behind a gap that the gateway still has", async () => {
  const history = new History();
  await history.commit([history.range(10, 10)]);
  await history.land(history.range(5, 5));
  await history.report(14, 19, 7);
  const waiting = await verify(history);
  expect(waiting.state).toBe("explained");
  expect(waiting.findings).toMatchObject([
    { kind: "landed", from: 10, to: 14 },
    { kind: "outbox", from: 15, to: 19, count: 7 },
  ]);
  history.range(5, 5);
  await history.land(history.range(5, 5));
  const gap = await verify(history);
  expect(gap.state).toBe("explained");
  expect(gap.findings).toContainEqual(expect.objectContaining({ kind: "outbox", from: 15, to: 19 }));
});

test("a gap is not explained by a gateway that is silent, or that goes on in another epoch", async () => {
  const history = new History();
  await history.commit([history.range(10, 10)]);
  history.range(5, 5);
  await history.land(history.range(5, 5));
  const silent = await verify(history);
  expect(silent.findings).toMatchObject([{ kind: "gap", from: 10, to: 14, explained: false }]);
  expect(silent.findings[0]?.detail).toContain("has not reported");
});

test("only the gateway, the table and the time that were asked for are judged", async () => {
  const history = new History();
  await history.commit([history.range(10, 10)], [], 9);
  expect((await verify(history, { gateway: "gw-2" })).gateways).toEqual([]);
  expect((await verify(history, { tables: ["labels"] })).state).toBe("complete");
  expect((await verify(history)).state).toBe("unexplained");
});
