import { LayeredMap } from "@sluice/cloud/lake/layered-map.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";

const changes = fc.array(
  fc.dictionary(fc.integer({ min: 0, max: 40 }).map(String), fc.option(fc.nat(), { nil: undefined }), {
    maxKeys: 8,
  }),
  { maxLength: 40 },
);

test("after any changes it holds what a plain map holds, and older versions are as they were", () => {
  fc.assert(
    fc.property(changes, (steps) => {
      const plain = new Map<string, number>();
      let map = LayeredMap.of<number>();
      const versions = [{ map, entries: [...plain] }];
      for (const step of steps) {
        for (const [key, value] of Object.entries(step)) {
          if (value === undefined) plain.delete(key);
          else plain.set(key, value);
        }
        map = map.with(new Map(Object.entries(step)));
        versions.push({ map, entries: [...plain] });
      }
      for (const version of versions) {
        expect(new Map(version.map)).toEqual(new Map(version.entries));
        expect([...version.map.keys()].length).toBe(version.entries.length);
        expect(version.map.size).toBe(version.entries.length);
        for (const [key, value] of version.entries) expect(version.map.get(key)).toBe(value);
        expect(version.map.has("absent")).toBe(false);
      }
    }),
  );
});

test("ten thousand additions of one key keep the order of the keys", () => {
  let map = LayeredMap.of<number>();
  for (let i = 0; i < 10_000; i++) map = map.with(new Map([[String(i), i]]));
  expect([...map.values()]).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
});
