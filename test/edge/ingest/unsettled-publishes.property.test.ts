import * as fc from "fast-check";
import { expect, test } from "vitest";
import { UnsettledPublishes } from "../../../edge/ingest/unsettled-publishes.ts";

// Goal: acknowledgements come in the order of the publishes. Method: random commands against a plain list.

type Command =
  | { readonly kind: "push"; readonly packetId: number; readonly bytes: number; readonly isWanted: boolean }
  | { readonly kind: "first" | "last"; readonly isStored: boolean };

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant("push" as const),
    packetId: fc.nat(65_535),
    bytes: fc.nat(100_000),
    isWanted: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom("first" as const, "last" as const), isStored: fc.boolean() }),
);

test("what is settled is taken in the order in which it came, and nothing before it is settled", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
      const unsettled = new UnsettledPublishes();
      const model: { packetId: number; bytes: number; topic: string | undefined; isStored?: boolean }[] = [];
      const [taken, expected]: [unknown[], unknown[]] = [[], []];
      for (const [number, command] of commands.entries()) {
        if (command.kind === "push") {
          const { packetId, bytes, isWanted } = command;
          const topic = isWanted ? String(number) : undefined;
          const wanted =
            topic === undefined
              ? undefined
              : { cmd: "publish" as const, topic, payload: "", qos: 0 as const, dup: false, retain: false };
          unsettled.push(packetId, bytes, wanted);
          model.push({ packetId, bytes, topic });
        } else {
          const open = model.filter(({ isStored }) => isStored === undefined);
          const one = command.kind === "first" ? open[0] : model.at(-1);
          if (one === undefined || one.isStored !== undefined) continue;
          one.isStored = command.isStored;
          if (command.kind === "first") unsettled.settleFirst(command.isStored);
          else unsettled.settleLast(command.isStored);
        }
        while (unsettled.shift())
          taken.push([unsettled.packetId, unsettled.isStored, unsettled.wanted?.topic]);
        while (model[0]?.isStored !== undefined) {
          const { packetId, isStored, topic } = model[0];
          expected.push([packetId, isStored, topic]);
          model.shift();
        }
        expect(taken).toEqual(expected);
        expect(unsettled.count).toBe(model.length);
        expect(unsettled.totalBytes).toBe(model.reduce((sum, { bytes }) => sum + bytes, 0));
      }
    }),
  );
});
