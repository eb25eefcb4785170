import { viewHash } from "@sluice/shared/codec/hash.ts";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { GatewayEvent } from "@sluice/shared/contract/event.ts";
import type { FeatureVector, StoredVector } from "@sluice/shared/contract/vector.ts";
import { recompute } from "@sluice/shared/features/recompute.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { expect, test } from "vitest";
import { decodeCheckpoint, encodeCheckpoint } from "../../edge/pipeline-checkpoint.ts";
import { nthMessage, openParts, VIEW } from "../crash/pipeline-parts.ts";
import { viewOf } from "../shared/features/readings.ts";
import { groupOf, tempFolder } from "./buffer/fixtures.ts";

type Parts = ReturnType<typeof openParts>;

const ADDED: FeatureView = {
  ...viewOf([{ fn: "median" }], { kind: "session", gapMs: 500, sizeMs: 2_000 }),
  name: "added",
};

function publish({ messages, pipeline }: Parts, from: number, end: number): void {
  messages.append(groupOf(Array.from({ length: end - from }, (_, i) => nthMessage(from + i))));
  while (pipeline.step());
}

const vectors = ({ state }: Parts): StoredVector[] =>
  state.readPending("features", 1e9).chunks.flatMap((chunk) => decodeChunk("features", chunk));

const events = ({ state }: Parts): GatewayEvent[] =>
  state.readPending("events", 1e9).chunks.flatMap((chunk) => decodeChunk("events", chunk));

/** What the cloud makes of the readings, with what the gateway says of the view. */
function recomputed({ state }: Parts, view: FeatureView, sinceOffset: number): FeatureVector[] {
  const blocks = state.readPending("readings", 1e9).chunks.map((chunk) => decodeChunk("readings", chunk));
  return [...recompute({ view, hash: viewHash(view), sinceOffset }, blocks)];
}

function unnumbered(vector: StoredVector): FeatureVector {
  const { seq, ...others } = vector;
  expect(seq).toBeGreaterThanOrEqual(0);
  return others;
}

/** Puts another checkpoint into the place of the one that is there. */
function replaceCheckpoint({ state }: Parts, change: (bytes: Uint8Array) => Uint8Array): void {
  const bytes = state.checkpoint()?.bytes ?? new Uint8Array(0);
  const { decodedThrough: throughOffset } = state;
  state.commitStep({ throughOffset, appended: [], counters: {}, checkpoint: change(bytes) });
}

test("a view that is added begins with the readings that the buffer holds, once, and a restart changes nothing", () => {
  const dir = tempFolder();
  let parts = openParts(dir, silentLog);
  publish(parts, 0, 2_000);
  parts.close();
  parts = openParts(dir, silentLog, { views: [VIEW, ADDED] });
  const past = vectors(parts).filter(({ view }) => view === "added");
  expect(past.length).toBeGreaterThan(3);
  publish(parts, 2_000, 3_000);
  parts.close();
  parts = openParts(dir, silentLog, { views: [VIEW, ADDED] });
  publish(parts, 3_000, 4_000);
  const all = vectors(parts);
  expect(all.map(({ seq }) => seq)).toEqual(all.map((_, i) => i));
  for (const view of [VIEW, ADDED]) {
    const own = all.filter(({ viewHash: hash }) => hash === viewHash(view));
    expect(own.map(unnumbered)).toEqual(recomputed(parts, view, 0));
  }
  parts.close();
});

test("a view that comes again begins with the next message: its windows of the past have vectors already", () => {
  const dir = tempFolder();
  let parts = openParts(dir, silentLog, { views: [VIEW, ADDED] });
  publish(parts, 0, 1_500);
  const before = vectors(parts).filter(({ view }) => view === "added").length;
  parts.close();
  for (const views of [[VIEW], [ADDED, VIEW]]) {
    parts = openParts(dir, silentLog, { views });
    if (views.length > 1) publish(parts, 1_500, 2_500);
    else parts.close();
  }
  const again = vectors(parts)
    .filter(({ view }) => view === "added")
    .slice(before);
  expect(again.length).toBeGreaterThan(1);
  expect(again.map(unnumbered)).toEqual(recomputed(parts, ADDED, 1_500));
  parts.close();
});

test("a view whose state other code wrote begins anew with the next message, the others go on, and the lake hears of it", () => {
  const dir = tempFolder();
  let parts = openParts(dir, silentLog, { views: [VIEW, ADDED] });
  publish(parts, 0, 1_500);
  parts.pipeline.checkpoint();
  const before = vectors(parts).length;
  replaceCheckpoint(parts, (bytes) => {
    const { features, ...others } = decodeCheckpoint(bytes);
    const changed = features.slice();
    const textBytes = new DataView(changed.buffer).getFloat64(8, true);
    changed.fill(0xff, 16 + textBytes + 8, 16 + textBytes + 16);
    return encodeCheckpoint({ features: changed, ...others });
  });
  parts.close();
  parts = openParts(dir, silentLog, { views: [VIEW, ADDED] });
  expect(events(parts).map(({ kind, detail }) => `${kind} ${detail}`)).toEqual([
    expect.stringMatching(/^checkpoint\.lost the view test_view cannot be restored .*checkpoint version/),
  ]);
  publish(parts, 1_500, 2_500);
  const made = vectors(parts).slice(before);
  expect(made.filter(({ view }) => view === "test_view").map(unnumbered)).toEqual(
    recomputed(parts, VIEW, 1_500),
  );
  expect(
    vectors(parts)
      .filter(({ view }) => view === "added")
      .map(unnumbered),
  ).toEqual(recomputed(parts, ADDED, 0));
  parts.close();
});

test("a checkpoint of another format stops nothing: every message counts once, and views begin anew", () => {
  const dir = tempFolder();
  let parts = openParts(dir, silentLog);
  publish(parts, 0, 1_500);
  parts.pipeline.checkpoint();
  const before = vectors(parts).length;
  replaceCheckpoint(parts, (bytes) => Uint8Array.of(99, ...bytes.subarray(1)));
  parts.close();
  parts = openParts(dir, silentLog);
  expect(events(parts).map(({ kind }) => kind)).toEqual(["checkpoint.lost"]);
  publish(parts, 1_500, 2_500);
  expect(parts.state.counters()).toMatchObject({ messages: 2_500, readings: 7_500 });
  expect(vectors(parts).slice(before).map(unnumbered)).toEqual(recomputed(parts, VIEW, 1_500));
  parts.close();
  parts = openParts(dir, silentLog); // And the next start finds nothing to say.
  expect(events(parts)).toHaveLength(1);
  parts.close();
});
