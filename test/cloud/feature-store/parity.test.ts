import { viewHash } from "@sluice/shared/codec/hash.ts";
import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import { viewKey } from "@sluice/shared/contract/lake-key.ts";
import type { StoredVector } from "@sluice/shared/contract/vector.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { expect, test } from "vitest";
import { type ParityRow, renderParity, verifyFeatures } from "../../../cloud/feature-store/parity.ts";
import { blockOf, viewOf } from "../../shared/features/readings.ts";

const view = viewOf([{ fn: "mean" }], { kind: "tumbling", sizeMs: 1_000 });
const hash = viewHash(view);
const readings = Array.from({ length: 60 }, (_, i) => ({ atMs: i * 100, value: i / 3 }));
const vectors: readonly StoredVector[] = new WindowEngine(view, hash, 0)
  .process(blockOf(readings))
  .map((vector, seq) => ({ ...vector, seq }));

/** What is said of a lake that holds these vectors and the first so many readings. */
async function verify(
  stored: readonly StoredVector[],
  readingCount: number,
  isPublished = true,
): Promise<ParityRow> {
  const store = new MemoryStore();
  if (isPublished) await store.put(viewKey(hash), new TextEncoder().encode(canonicalJson(view)));
  const rows = await verifyFeatures(
    {
      store,
      lake: {
        sql: async () => ({ columns: [], rows: [["site-1", "epoch", view.name, hash, 0n]] }),
        vectorsOf: async () => stored,
        readings: async function* () {
          yield blockOf(readings.slice(0, readingCount));
        },
      },
    },
    () => undefined,
  );
  const [row] = rows;
  if (row === undefined) throw new Error("there is one run");
  return row;
}

test("vectors that follow from their readings are equal, and those whose readings are not there yet wait", async () => {
  expect(vectors.length).toBe(5);
  expect(await verify(vectors, 60)).toMatchObject({ equal: 5, different: 0, waiting: 0, problem: undefined });
  expect(await verify(vectors, 35)).toMatchObject({ equal: 3, different: 0, waiting: 2, problem: undefined });
  expect(await verify(vectors.slice(0, 2), 60)).toMatchObject({ equal: 2, different: 0, waiting: 0 });
});

test("a single bit makes a vector different, and the row says where", async () => {
  const flipped = vectors.map((vector, i) =>
    i === 1 ? { ...vector, values: [(vector.values[0] ?? 0) * (1 + 2 ** -52)] } : vector,
  );
  const row = await verify(flipped, 60);
  expect(row).toMatchObject({ equal: 4, different: 1, waiting: 0 });
  expect(row.problem).toContain("p1, window ending 2000000: value 0 is ");
});

test("a vector that its readings do not make is different, and does not wait for ever", async () => {
  const last = vectors.at(-1);
  if (last === undefined) throw new Error("there are vectors");
  const row = await verify([...vectors, { ...last, seq: 5, revision: 1 }], 60);
  expect(row).toMatchObject({ equal: 5, different: 1, waiting: 0 });
  expect(row.problem).toContain("does not follow from the readings");
});

test("a view that nobody published is a problem that names its key", async () => {
  const row = await verify(vectors, 60, false);
  expect(row).toMatchObject({
    equal: 0,
    waiting: 5,
    problem: `its view is not in the lake: ${viewKey(hash)}`,
  });
});

test("the rows print as a table, and none as a sentence", async () => {
  expect(renderParity([])).toBe("There are no feature vectors in the lake yet.");
  const lines = renderParity([await verify(vectors, 60)]).split("\n");
  expect(lines[0]).toMatch(/^gateway +epoch +view +vectors +equal +different +waiting$/);
  expect(lines[1]).toMatch(/^site-1 +epoch +test_view +5 +5 +0 +0$/);
});
