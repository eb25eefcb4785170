import * as fc from "fast-check";
import { expect, test } from "vitest";
import { buildDataset } from "../../../cloud/dataset/dataset.ts";
import { hops, label, lakeOf, SECOND_US, spec, table, WINDOW_S, type Row } from "./lake.ts";

test("training windows end before the first healthy test window begins, and the windows across the cut are purged", async () => {
  const { train, test, manifest } = await buildDataset(lakeOf(hops(20)), spec());
  expect(manifest.cutUs).toBe(Math.max(...train.windowEndUs));
  expect(Math.min(...test.windowStartUs)).toBeGreaterThanOrEqual(manifest.cutUs);
  expect(manifest.counts).toMatchObject({ train: 14, testNormal: 5, purged: 1 });
});

test("a faulty window is never trained on and always tested, also when the fault was before the cut", async () => {
  const labels = [label("bearing_fault", [20, 32])];
  const { train, test, manifest } = await buildDataset(lakeOf(hops(20), labels), spec());
  const faulty = [...test.anomalous].filter((flag) => flag === 1).length;
  // Windows [15, 25) to [30, 40) touch [20, 32).
  expect(faulty).toBe(4);
  expect(manifest.counts).toMatchObject({ testFaulty: 4, testFaultyEarlier: 4 });
  expect([...train.anomalous]).not.toContain(1);
  expect(test.label.filter((name) => name === "bearing_fault")).toHaveLength(4);
});

test("without assuming health, windows without a label are left out and counted", async () => {
  const labels = [label("normal", [0, 50])];
  const { train, manifest } = await buildDataset(lakeOf(hops(20), labels), spec({ assumeNormal: false }));
  expect(manifest.counts.unlabelled).toBe(10);
  expect(Math.max(...train.windowStartUs)).toBeLessThan(50 * SECOND_US);
});

test("a label that withdraws a fault makes its windows healthy again", async () => {
  const labels = [
    label("bearing_fault", [20, 32], { knownAtUs: 40 * SECOND_US }),
    label("normal", [0, 60], { knownAtUs: 90 * SECOND_US }),
  ];
  const lake = lakeOf(hops(20), labels);
  const after = await buildDataset(lake, spec());
  const before = await buildDataset(lake, spec({ knownByUs: 80 * SECOND_US }));
  expect(after.manifest.counts.testFaulty).toBe(0);
  expect(before.manifest.counts.testFaulty).toBeGreaterThan(0);
});

test("of several revisions the newest that was known by the cut-off is taken", async () => {
  const late: Row[] = [
    { startS: 0, revision: 1, closedS: 50, seq: 100, values: [1, 1] },
    { startS: 0, revision: 2, closedS: 200_000, seq: 101, values: [2, 2] },
  ];
  const { train, manifest } = await buildDataset(lakeOf([...hops(20), ...late]), spec());
  expect([...train.values.subarray(0, 2)]).toEqual([1, 1]);
  expect(manifest.counts).toMatchObject({ superseded: 1, train: 14, testNormal: 5, purged: 1 });
});

test("of two epochs of a gateway the later one is taken, whatever its revision says", async () => {
  const other: Row[] = [{ startS: 0, epoch: "epoch-2", revision: 0, closedS: 70, values: [7, 7] }];
  const first = hops(20).map((row) => ({ ...row, revision: 3 }));
  const { train, manifest } = await buildDataset(lakeOf([...other, ...first]), spec());
  expect([...train.values.subarray(0, 2)]).toEqual([7, 7]);
  expect(manifest.origins).toEqual([
    { gateway: "site-1", epoch: "epoch-1", fromSeq: 2, toSeq: 20, rows: 18 },
    { gateway: "site-1", epoch: "epoch-2", fromSeq: 0, toSeq: 0, rows: 1 },
  ]);
});

test("of a window that was computed at the gateway and back-filled the gateway's vector is taken", async () => {
  const filled = hops(25).map((row) => ({
    ...row,
    epoch: "0198a6d2-8c1f-8a5e-9d3b-2f6f0c9a1b7e",
    closedS: 500,
    values: [8, 8],
  }));
  const live = hops(20).map((row) => ({ ...row, epoch: "0198a6d2-8c1f-4a5e-9d3b-2f6f0c9a1b7e" }));
  const { train, test, manifest } = await buildDataset(lakeOf([...filled, ...live]), spec());
  expect([...train.values.subarray(0, 2)]).toEqual([0, 1]);
  expect([...test.values.subarray(-2)]).toEqual([8, 8]);
  expect(manifest.counts).toMatchObject({ superseded: 20 });
});

test("what the breaker of the view kept from models is not learned from, and counted", async () => {
  const rows = hops(20).map((row, i) => ({ ...row, withheld: i < 3 }));
  const { train, manifest } = await buildDataset(lakeOf(rows), spec());
  expect(train.windowStartUs[0]).toBe(15 * SECOND_US);
  expect(manifest.counts).toMatchObject({ withheld: 3, superseded: 0 });
});

test("nothing that became known after the cut-off changes the training set", async () => {
  const known = spec({ knownByUs: 90 * SECOND_US });
  const early = hops(20);
  const changed: Row[] = [
    ...early.map((row) => (row.startS + WINDOW_S > 90 ? { ...row, values: [9e9, NaN] } : row)),
    { startS: 0, revision: 1, closedS: 91, values: [5, 5] },
    { startS: 200 },
  ];
  const lateLabel = label("bearing_fault", [0, 50], { knownAtUs: 91 * SECOND_US });
  const before = await buildDataset(lakeOf(early), known);
  const after = await buildDataset(lakeOf(changed, [lateLabel]), known);
  expect(after.train).toEqual(before.train);
  expect(after.test).toEqual(before.test);
  expect(after.id).toBe(before.id);
});

test("the same rows in another order give the same id, and one changed bit gives another", async () => {
  const rows: Row[] = [...hops(20), ...hops(20).map((row) => ({ ...row, device: "pump-2" }))].map(
    (row, seq) => ({
      ...row,
      seq,
    }),
  );
  const { id } = await buildDataset(lakeOf(rows), spec());
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(rows, { minLength: rows.length }), async (shuffled) => {
      expect((await buildDataset(lakeOf(shuffled), spec())).id).toBe(id);
    }),
    { numRuns: 20 },
  );
  const changed = rows.map((row, i) =>
    i === 3 ? { ...row, values: [row.startS, row.startS + 1 + 1e-12] } : row,
  );
  expect((await buildDataset(lakeOf(changed), spec())).id).not.toBe(id);
  expect((await buildDataset(lakeOf(rows), spec({ testShare: 0.4 }))).id).not.toBe(id);
});

test("every row is somewhere: trained on, tested on, or counted with the reason why it was left out", async () => {
  const row = fc.record({
    startS: fc.integer({ min: 0, max: 40 }).map((n) => n * 5),
    device: fc.constantFrom("pump-1", "pump-2"),
    epoch: fc.constantFrom("epoch-1", "epoch-2"),
    revision: fc.integer({ min: 0, max: 2 }),
    closedS: fc.integer({ min: 0, max: 300 }),
  });
  const fault = fc
    .tuple(
      fc.integer({ min: 0, max: 200 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom("normal", "wear"),
    )
    .map(([from, length, name]) => label(name, [from, from + length]));
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 5, maxLength: 60 }),
      fc.array(fault, { maxLength: 4 }),
      async (rows, labels) => {
        const lake = lakeOf([...rows, { startS: 0, device: "pump-3", closedS: 0 }], labels);
        const built = await buildDataset(lake, spec({ knownByUs: 200 * SECOND_US }));
        const { testFaultyEarlier, ...counts } = built.manifest.counts;
        const known = rows.filter((row) => row.closedS <= 200).length + 1;
        expect(Object.values(counts).reduce((a, b) => a + b)).toBe(known);
        expect(built.train.count).toBe(counts.train);
        expect(built.test.count).toBe(counts.testNormal + counts.testFaulty);
        expect(testFaultyEarlier).toBeLessThanOrEqual(counts.testFaulty);
      },
    ),
    { numRuns: 100 },
  );
});

test("a lake without healthy windows is refused with the counts of what was left out", async () => {
  await expect(buildDataset(lakeOf([]), spec())).rejects.toMatchObject({ code: "dataset.empty" });
  const onlyFaults = lakeOf(hops(3), [label("wear", [0, 100])]);
  await expect(buildDataset(onlyFaults, spec())).rejects.toThrow(/no healthy window of view pump_health/);
  await expect(buildDataset(onlyFaults, spec())).rejects.toMatchObject({
    hint: expect.stringContaining("3 faulty"),
  });
});

test("columns that do not fit the view are refused with their name", async () => {
  const whole = table(hops(20));
  const source = (changed: object) => ({
    vectors: () => Promise.resolve({ ...whole, ...changed }),
    labels: () => Promise.resolve([]),
  });
  await expect(buildDataset(source({ values: whole.values.subarray(1) }), spec())).rejects.toThrow(
    /column values/,
  );
  await expect(buildDataset(source({ device: ["pump-1"] }), spec())).rejects.toMatchObject({
    code: "dataset.damaged",
    message: "column device has 1 rows, seq has 20",
  });
});

test("an infinite value is refused with its feature and device", async () => {
  const rows = hops(20).map((row, i) => (i === 4 ? { ...row, values: [1, Infinity] } : row));
  await expect(buildDataset(lakeOf(rows), spec())).rejects.toThrow(
    /feature level_max of pump-1 at 20000000 is Infinity/,
  );
});

test("windows from before the history are left out", async () => {
  const { manifest } = await buildDataset(
    lakeOf(hops(40)),
    spec({ knownByUs: 300 * SECOND_US, historyHours: 0.05 }),
  );
  expect(manifest.fromUs).toBe(120 * SECOND_US);
  // Of 40 windows, 5 seconds apart, those that begin from 120 s on.
  expect(manifest.counts.train + manifest.counts.testNormal + manifest.counts.purged).toBe(16);
});
