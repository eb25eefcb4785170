import { CheckpointError, CheckpointReader, CheckpointWriter } from "@sluice/shared/features/checkpoint.ts";
import { WindowEngine } from "@sluice/shared/features/engine.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { blockOf, viewOf } from "./readings.ts";

const view = viewOf([{ fn: "mean" }, { fn: "deviation" }], { correctionMs: 1_000 });

function saved(): Uint8Array {
  const engine = new WindowEngine(view, "hash", 0);
  engine.process(
    blockOf([0, 100, 350, 700, 200].map((atMs) => ({ device: "Pumpe Süd", atMs, value: atMs }))),
  );
  return engine.checkpoint();
}

test("numbers, texts and columns come back to the bit", () => {
  const numbers = [0, -0, 1e308, 5e-324, -Infinity, Infinity, 2 ** 53];
  const writer = new CheckpointWriter();
  for (const number of numbers) writer.number(number);
  writer.text("Süd ☃");
  writer.column(Float64Array.of(...numbers).subarray(1, 4));
  writer.column(new Float64Array(10_000));
  const reader = new CheckpointReader(writer.finish());
  for (const number of numbers) expect(Object.is(reader.number(), number)).toBe(true);
  expect(reader.text()).toBe("Süd ☃");
  expect([...reader.column()]).toEqual(numbers.slice(1, 4));
  expect(reader.column()).toHaveLength(10_000);
  reader.end();
});

test("ascending columns come back to the bit, and take few bytes where their steps are even or small", () => {
  const steps = fc.oneof(
    fc.array(fc.integer({ min: 0, max: 3_000_000 }), { maxLength: 40 }),
    fc
      .record({ step: fc.nat(), times: fc.nat(40) })
      .map(({ step, times }) => Array.from({ length: times }, () => step)),
    fc.array(fc.integer({ min: 0, max: 2 ** 44 }), { maxLength: 40 }),
  );
  fc.assert(
    fc.property(
      fc.array(fc.record({ first: fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), steps })),
      (drawn) => {
        const columns = drawn.map(({ first, steps: own }) => {
          let value = first;
          return Float64Array.from([first, ...own.map((step) => (value += step))]);
        });
        const writer = new CheckpointWriter();
        writer.ascending(new Float64Array(0));
        for (const column of columns) writer.ascending(column);
        const reader = new CheckpointReader(writer.finish());
        expect(reader.ascending()).toEqual(new Float64Array(0));
        for (const column of columns) expect(reader.ascending()).toEqual(column);
        reader.end();
      },
    ),
    { numRuns: 300 },
  );
  const writer = new CheckpointWriter();
  writer.ascending(Float64Array.from({ length: 10_000 }, (_, i) => 1.7e15 + i * 1_000));
  expect(writer.finish().length).toBeLessThan(50);
});

test("a checkpoint that is cut anywhere is refused", () => {
  const bytes = saved();
  expect(WindowEngine.restore(view, "hash", bytes).checkpoint()).toEqual(bytes);
  for (let length = 0; length < bytes.length; length++)
    expect(() => WindowEngine.restore(view, "hash", bytes.subarray(0, length))).toThrow(CheckpointError);
});

test("a checkpoint with something behind it is refused", () => {
  const longer = new Uint8Array(saved().length + 1);
  longer.set(saved());
  expect(() => WindowEngine.restore(view, "hash", longer)).toThrow("1 bytes more than expected");
});

test("a checkpoint of another view or another version is refused", () => {
  expect(() => WindowEngine.restore(view, "other", saved())).toThrow(
    "a checkpoint of view hash, not of other",
  );
  const newer = saved();
  new DataView(newer.buffer).setFloat64(0, 99, true);
  expect(() => WindowEngine.restore(view, "hash", newer)).toThrow("checkpoint version 99, this code reads");
});

test("a count that is no count is refused before anything is made of it", () => {
  const writer = new CheckpointWriter();
  writer.number(1e300);
  expect(() => new CheckpointReader(writer.finish()).block()).toThrow(CheckpointError);
});
