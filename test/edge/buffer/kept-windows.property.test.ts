import { join } from "node:path";
import { Bodies } from "@sluice/edge/buffer/body.ts";
import { KEPT_WINDOW_SCHEMA, type KeptWindow, KeptWindows } from "@sluice/edge/buffer/kept-windows.ts";
import { openSqlite } from "@sluice/edge/buffer/sqlite-file.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { codeOf, tempFolder } from "./fixtures.ts";

const window: fc.Arbitrary<KeptWindow> = fc
  .record({
    device: fc.constantFrom("pump-1", "pump-2"),
    fromUs: fc.integer({ min: 0, max: 90 }),
    size: fc.integer({ min: 1, max: 10 }),
  })
  .map(({ device, fromUs, size }) => ({ device, fromUs, toUs: fromUs + size }));

type Change =
  | { readonly do: "write"; readonly windows: readonly KeptWindow[] }
  | { readonly do: "deliver"; readonly back: number }
  | { readonly do: "fail"; readonly windows: readonly KeptWindow[] }
  | { readonly do: "reopen" };

const windows = fc.array(window, { maxLength: 4 });
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("write" as const), windows }) },
  fc.record({ do: fc.constant("deliver" as const), back: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ do: fc.constant("fail" as const), windows }),
  fc.record({ do: fc.constant("reopen" as const) }),
);

test("what lies in a window stays until the lake has all that came up to it, whatever fails and restarts", () => {
  const file = openSqlite(join(tempFolder(), "kept.db"));
  file.exec(KEPT_WINDOW_SCHEMA);
  const run = (changes: readonly Change[]): void => {
    file.exec("DELETE FROM kept_window");
    let kept = new KeptWindows(file, new Bodies());
    let known: (KeptWindow & { readonly offset: number })[] = [];
    for (const [offset, step] of changes.entries()) {
      if (step.do === "write") {
        file.transaction(() => kept.write(step.windows, offset))();
        known = known.concat(step.windows.map((own) => ({ ...own, offset })));
      } else if (step.do === "deliver") {
        file.transaction(() => kept.forgetDelivered(offset - step.back))();
        known = known.filter((own) => own.offset > offset - step.back);
      } else if (step.do === "fail") {
        codeOf(
          file.transaction(() => {
            kept.write(step.windows, offset);
            throw new Error("the disk is full");
          }),
        );
        kept.reload();
      } else kept = new KeptWindows(file, new Bodies());
      for (const { device, fromUs, toUs } of known)
        expect([fromUs, toUs - 1].map((atUs) => kept.holds(device, atUs))).toEqual([true, true]);
    }
    expect(kept.holds("pump-3", 5)).toBe(false);
    file.transaction(() => kept.forgetDelivered(changes.length))();
    expect(kept.count).toBe(0);
    expect(kept.holds("pump-1", 5)).toBe(false);
  };
  fc.assert(fc.property(fc.array(change, { maxLength: 20 }), run), { numRuns: 60 });
  file.close();
});

test("windows that touch are one, and of too many the oldest are forgotten and counted", () => {
  const file = openSqlite(join(tempFolder(), "kept.db"));
  file.exec(KEPT_WINDOW_SCHEMA);
  const kept = new KeptWindows(file, new Bodies());
  const hop = (n: number): KeptWindow => ({ device: "pump-1", fromUs: n * 10, toUs: n * 10 + 60 });
  file.transaction(() =>
    kept.write(
      Array.from({ length: 500 }, (_, n) => hop(n)),
      1,
    ),
  )();
  expect(kept.count).toBe(1);
  const apart = Array.from({ length: 10_004 }, (_, n) => ({ device: `d-${n}`, fromUs: 0, toUs: 1 }));
  expect(file.transaction(() => kept.write(apart, 2))()).toBe(5);
  expect(kept.count).toBe(10_000);
  expect(["pump-1", "d-3", "d-4"].map((device) => kept.holds(device, 0))).toEqual([false, false, true]);
  file.close();
});
