import { seededRandom } from "@sluice/shared/runtime/random.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decoderTargets } from "../../../fuzz/decoder-targets.ts";
import { mutate } from "../../../fuzz/mutate.ts";

/** Random bytes, or a changed valid payload, and the chance that goes with it. */
const drawn = fc.record({
  bytes: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(undefined)),
  seed: fc.integer(),
});

test.each(decoderTargets.map((target) => [target.name, target] as const))(
  "%s: whatever comes is read or refused as malformed, with no more calls than bytes allow",
  async (_, target) => {
    await fc.assert(
      fc.asyncProperty(drawn, async ({ bytes, seed }) => {
        const random = seededRandom(seed);
        const payload = bytes ?? mutate(target.seeds, random);
        expect(["accepted", "refused"]).toContain(await target.run(payload, random));
      }),
      { numRuns: 500 },
    );
  },
);

test.each(decoderTargets.map((target) => [target.name, target] as const))(
  "%s: at least one of the payloads that are changed is a valid one",
  async (_, target) => {
    const outcomes = await Promise.all(target.seeds.map(async (seed) => target.run(seed, seededRandom(1))));
    expect(outcomes).toContain("accepted");
  },
);
