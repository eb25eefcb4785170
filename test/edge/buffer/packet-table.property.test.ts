import * as fc from "fast-check";
import { expect, test } from "vitest";
import { PacketTable } from "../../../edge/buffer/packet-table.ts";

const key = fc.tuple(
  fc.oneof(fc.constantFrom("", "a", "b", "a\n1"), fc.integer({ min: 0, max: 300 }).map(String)),
  fc.oneof(fc.constantFrom(1, 2, 65_535), fc.integer({ min: 0, max: 65_535 })),
);
const command = fc.oneof(
  { weight: 200, arbitrary: fc.tuple(fc.constant("set"), key, fc.maxSafeNat()) },
  { weight: 50, arbitrary: fc.tuple(fc.constant("get"), key, fc.nat()) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom("clear", "restore"), key, fc.nat()) },
);

test("a table says what a map of maps would, however it has grown, been cleared or been handed over", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 3_000, size: "max" }), (commands) => {
      let table = new PacketTable();
      const model = new Map<string, number>();
      for (const [what, [client, packetId], hash] of commands) {
        const name = JSON.stringify([client, packetId]);
        if (what === "set") {
          table.set(client, packetId, hash);
          model.set(name, hash);
        } else if (what === "clear") {
          table.clear();
          model.clear();
        } else if (what === "restore") {
          const state = table.state();
          const before = table;
          table = new PacketTable();
          table.restore(state);
          before.clear(); // Nothing of it is shared.
        }
        expect([table.get(client, packetId), table.count]).toEqual([model.get(name), model.size]);
      }
      for (const [name, hash] of model) {
        const [client, packetId] = JSON.parse(name) as [string, number];
        expect(table.get(client, packetId)).toBe(hash);
      }
    }),
    { numRuns: 20 },
  );
});

test("a hundred thousand messages of a thousand clients are found again", () => {
  const table = new PacketTable();
  for (let n = 0; n < 100_000; n++) table.set(`c${n % 1_000}`, Math.floor(n / 1_000), n);
  const wrong = Array.from(
    { length: 100_000 },
    (_, n) => table.get(`c${n % 1_000}`, Math.floor(n / 1_000)) === n,
  );
  expect([table.count, wrong.includes(false), table.get("c0", 100)]).toEqual([100_000, false, undefined]);
});
