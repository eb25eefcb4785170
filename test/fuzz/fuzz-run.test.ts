import { expect, test } from "vitest";
import { FuzzFailure, fuzzTarget, payloadOf } from "./fuzz-run.ts";
import type { FuzzTarget } from "./target.ts";

const seeds = [new TextEncoder().encode('{"a":1}'), new TextEncoder().encode("[1,2,3]")];

/** A target that stands everything but a payload that `fails` says. */
const target = (fails: (payload: Uint8Array) => unknown): FuzzTarget => ({
  name: "made up",
  seeds,
  run(payload) {
    const failure = fails(payload);
    if (failure !== undefined) throw failure;
    return payload.length % 2 === 0 ? "accepted" : "refused";
  },
});

test("packets are counted by what became of them", async () => {
  const result = await fuzzTarget(
    target(() => undefined),
    { seed: 1, packets: 1_000 },
  );
  expect(result).toMatchObject({ target: "made up", packets: 1_000 });
  expect(result.accepted).toBeGreaterThan(100);
  expect(result.accepted + result.refused).toBe(1_000);
});

test("an unexpected error ends the run and shows its packet and its payload, which come again from the seed", async () => {
  const stumbles = target((payload) => (payload.includes(0xff) ? new TypeError("no such thing") : undefined));
  const failure: unknown = await fuzzTarget(stumbles, { seed: 5, packets: 10_000 }).catch((error) => error);
  expect(failure).toBeInstanceOf(FuzzFailure);
  const { message } = failure as FuzzFailure;
  expect(message).toContain("no such thing");
  const packet = Number(/packet (\d+)/.exec(message)?.[1]);
  expect(message).toContain(`payload ${Buffer.from(payloadOf(stumbles, 5, packet)).toString("hex")}`);
});

test("a payload that takes too much memory ends the run", async () => {
  const kept: unknown[] = [];
  const hoards = target((payload) => {
    if (payload.includes(0x80)) kept.push(new Float64Array(10_000_000));
    return undefined;
  });
  await expect(fuzzTarget(hoards, { seed: 1, packets: 10_000 })).rejects.toThrow(
    /the heap grew by \d+ bytes/,
  );
});

test("the same seed gives the same payloads, another gives others", () => {
  const payloads = (seed: number): string[] =>
    Array.from({ length: 50 }, (_, packet) =>
      Buffer.from(
        payloadOf(
          target(() => undefined),
          seed,
          packet,
        ),
      ).toString("hex"),
    );
  expect(payloads(3)).toEqual(payloads(3));
  expect(payloads(4)).not.toEqual(payloads(3));
});
