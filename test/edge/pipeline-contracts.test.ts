// Goal: what a breaker withholds is stored and reaches no feature, wherever the gateway dies, and whoever recomputes the
// features from the stored readings gets the same bits.
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import { recompute } from "@sluice/shared/features/recompute.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { expect, test } from "vitest";
import { nthMessage, openParts, VIEW } from "../crash/pipeline-parts.ts";
import { groupOf, tempFolder } from "./buffer/fixtures.ts";

type Parts = ReturnType<typeof openParts>;

/** About one value in ten is out of range, so that breakers open and close all the time. */
const CONTRACT = {
  deviceType: "pump",
  metrics: { a: { min: -0.9, max: 0.9, rateMaxHz: 100 }, b: { type: "integer" } },
  breaker: { windowReadings: 20, violationShareMax: 0.1, closeShareMax: 0.05 },
};

function publish({ messages }: Parts, from: number, end: number): void {
  for (let n = from; n < end; n += 50)
    messages.append(groupOf(Array.from({ length: 50 }, (_, i) => nthMessage(n + i))));
}

const run = ({ pipeline }: Parts): void => {
  while (pipeline.step());
};

const readings = ({ state }: Parts): readonly ReadingBlock[] =>
  state.readPending("readings", 1e9).chunks.map((chunk) => decodeChunk("readings", chunk));

function outcome(parts: Parts) {
  const { state } = parts;
  const chunks = (stream: "features" | "events"): readonly Uint8Array[] =>
    state.readPending(stream, 1e9).chunks;
  const { "clock.steps": _, ...counters } = state.counters();
  return {
    vectors: chunks("features").flatMap((chunk) =>
      decodeChunk("features", chunk).map((row) => JSON.stringify(row)),
    ),
    // The rig's monotonic clock runs ahead of its wall clock, which looks like steps.
    events: chunks("events")
      .flatMap((chunk) => decodeChunk("events", chunk))
      .filter(({ kind }) => kind !== "clock.stepped")
      .map(({ seq: _seq, ...event }) => JSON.stringify(event)),
    withheld: readings(parts).flatMap((block) => [...block.withheld]),
    counters,
    status: parts.pipeline.contractStatus(9),
  };
}

function madeAtOnce(
  contracts: readonly object[],
): ReturnType<typeof outcome> & { readonly recomputed: string[] } {
  const parts = openParts(tempFolder(), silentLog, { contracts });
  publish(parts, 0, 3_000);
  run(parts);
  const computed = { view: VIEW, hash: viewHash(VIEW), sinceOffset: 0 };
  const recomputed = [...recompute(computed, readings(parts))].map((vector, seq) =>
    JSON.stringify({ ...vector, seq }),
  );
  const made = { ...outcome(parts), recomputed };
  parts.close();
  return made;
}

test("withheld readings are stored, make no feature, and recomputing from what is stored gives the same bits", () => {
  const { counters, events, vectors, withheld, recomputed } = madeAtOnce([CONTRACT]);
  expect(counters["breakers.opened"]).toBeGreaterThan(5);
  expect(counters["breakers.closed"]).toBeGreaterThan(5);
  expect(withheld.filter((flag) => flag === 1)).toHaveLength(counters["withheld"] ?? 0);
  expect(withheld.length).toBe(counters["readings"]);
  expect(events.filter((row) => row.includes('"breaker.'))).toHaveLength(
    (counters["breakers.opened"] ?? 0) + (counters["breakers.closed"] ?? 0),
  );
  expect(vectors.length).toBeGreaterThan(10);
  expect(recomputed).toEqual(vectors);
  // Without the breaker the same messages make other vectors, or this would prove nothing.
  const { breaker: _, ...trusting } = CONTRACT;
  expect(madeAtOnce([trusting]).vectors).not.toEqual(vectors);
});

test("a gateway that dies at any step, with a checkpoint and without, withholds the same readings and tells the same", () => {
  const dir = tempFolder();
  let parts = openParts(dir, silentLog, { contracts: [CONTRACT] });
  for (let n = 0; n < 3_000; n += 300) {
    publish(parts, n, n + 300);
    parts.pipeline.step();
    if (n % 900 === 0) parts.pipeline.checkpoint();
    parts.close(); // Without a last checkpoint, as after a kill.
    parts = openParts(dir, silentLog, { contracts: [CONTRACT] });
  }
  run(parts);
  const { recomputed: _, ...expected } = madeAtOnce([CONTRACT]);
  expect(outcome(parts)).toEqual(expected);
  parts.close();
});
