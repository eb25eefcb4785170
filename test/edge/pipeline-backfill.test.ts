// Goal: a view that is added while the lake is away begins with everything that waits for the lake. Method: the
// worker's half of a gateway, whose readings are made into batches as the uplink does it.
import { viewHash } from "@sluice/shared/codec/hash.ts";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { ReadingBlock } from "@sluice/shared/contract/reading.ts";
import type { FeatureVector } from "@sluice/shared/contract/vector.ts";
import { recompute } from "@sluice/shared/features/recompute.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { expect, test } from "vitest";
import { sealNext } from "../../edge/sync/seal.ts";
import { nthMessage, openParts, VIEW } from "../crash/pipeline-parts.ts";
import { viewOf } from "../shared/features/readings.ts";
import { groupOf, tempFolder } from "./buffer/fixtures.ts";

type Parts = ReturnType<typeof openParts>;

const ADDED: FeatureView = {
  ...viewOf([{ fn: "median" }, { fn: "cumulative_mean" }], { kind: "session", gapMs: 500, sizeMs: 2_000 }),
  name: "added",
};

/** Publishes messages and returns their readings. */
function publish({ messages, pipeline, state }: Parts, from: number, end: number): readonly ReadingBlock[] {
  messages.append(groupOf(Array.from({ length: end - from }, (_, i) => nthMessage(from + i))));
  while (pipeline.step());
  return state.readPending("readings", 1e9).chunks.map((chunk) => decodeChunk("readings", chunk));
}

/** What is pending becomes one batch. */
const seal = ({ state }: Parts): void =>
  void sealNext("readings", { store: state, gateway: "gw-1", encode: encodeLanding, batchRowsMax: 100_000 });

const vectorsOfAdded = ({ state }: Parts): FeatureVector[] =>
  state
    .readPending("features", 1e9)
    .chunks.flatMap((chunk) => decodeChunk("features", chunk))
    .filter(({ view }) => view === "added")
    .map(({ seq, ...vector }) => {
      expect(seq).toBeGreaterThanOrEqual(0);
      return vector;
    });

const recomputed = (sinceOffset: number, blocks: readonly ReadingBlock[]): FeatureVector[] => [
  ...recompute({ view: ADDED, hash: viewHash(ADDED), sinceOffset }, blocks),
];

test("a view that is added begins with the readings in batches that wait for the lake, and with those in none yet", () => {
  const dir = tempFolder();
  let parts = openParts(dir, silentLog);
  const first = publish(parts, 0, 1_000);
  seal(parts);
  const second = publish(parts, 1_000, 1_500);
  seal(parts);
  const third = publish(parts, 1_500, 2_000);
  parts.close();
  parts = openParts(dir, silentLog, { views: [VIEW, ADDED] });
  const made = vectorsOfAdded(parts);
  expect(made.length).toBeGreaterThan(3);
  expect(made).toEqual(recomputed(0, [...first, ...second, ...third]));
  parts.close();
});

test("it begins behind what the lake has: batches before one that was delivered are not joined to those after it", () => {
  const dir = tempFolder();
  let parts = openParts(dir, silentLog);
  publish(parts, 0, 1_000);
  seal(parts);
  publish(parts, 1_000, 1_500);
  seal(parts);
  const last = publish(parts, 1_500, 2_500);
  seal(parts);
  const [, middle] = parts.state.peekOutbox(3, "readings");
  parts.state.markDelivered(middle?.id ?? -1);
  parts.close();
  parts = openParts(dir, silentLog, { views: [VIEW, ADDED] });
  const made = vectorsOfAdded(parts);
  expect(made.length).toBeGreaterThan(1);
  expect(made).toEqual(recomputed(1_500, last));
  parts.close();
});
