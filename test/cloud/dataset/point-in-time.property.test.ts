// Goal: the join answers as the reference semantics say, in every order of knowing. Method: a model that looks at every
// vector for every request, against the stream over sorted columns, cut into random chunks.
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  type KnownVectors,
  PICK_STATUS,
  PointInTimeJoin,
  type Requests,
} from "../../../cloud/dataset/point-in-time.ts";

interface ModelVector {
  readonly entity: number;
  readonly endUs: number;
  readonly knownUs: number;
  readonly source: number;
  readonly revision: number;
  readonly seq: number;
}

interface ModelRequest {
  readonly entity: number;
  readonly eventUs: number;
  readonly knownUs: number;
}

interface Answer {
  readonly status: string;
  readonly source: number;
  readonly seq: number;
}

/** The definition, word by word. */
function answerOf(request: ModelRequest, vectors: readonly ModelVector[], ttlUs: number): Answer {
  const takesPart = vectors.filter(
    (vector) =>
      vector.entity === request.entity &&
      vector.endUs <= request.eventUs &&
      vector.knownUs <= request.knownUs,
  );
  const [newest] = takesPart.toSorted(
    (a, b) => b.endUs - a.endUs || b.source - a.source || b.revision - a.revision || b.seq - a.seq,
  );
  if (newest === undefined) return { status: "NOT_FOUND", source: -1, seq: -1 };
  const status = request.eventUs - newest.endUs <= ttlUs ? "FOUND" : "OUTSIDE_MAX_AGE";
  return { status, source: newest.source, seq: newest.seq };
}

const byKnown = (
  a: { readonly entity: number; readonly knownUs: number },
  b: { readonly entity: number; readonly knownUs: number },
): number => a.entity - b.entity || a.knownUs - b.knownUs;

function requestColumns(requests: readonly ModelRequest[]): Requests {
  return {
    entity: Int32Array.from(requests, ({ entity }) => entity),
    eventUs: Float64Array.from(requests, ({ eventUs }) => eventUs),
    knownUs: Float64Array.from(requests, ({ knownUs }) => knownUs),
  };
}

function vectorColumns(vectors: readonly ModelVector[]): KnownVectors {
  return {
    count: vectors.length,
    entity: Int32Array.from(vectors, ({ entity }) => entity),
    knownUs: Float64Array.from(vectors, ({ knownUs }) => knownUs),
    windowEndUs: Float64Array.from(vectors, ({ endUs }) => endUs),
    source: Int32Array.from(vectors, ({ source }) => source),
    revision: Int32Array.from(vectors, ({ revision }) => revision),
    seq: Float64Array.from(vectors, ({ seq }) => seq),
  };
}

function joined(
  requests: readonly ModelRequest[],
  vectors: readonly ModelVector[],
  { ttlUs, chunkRows }: { readonly ttlUs: number; readonly chunkRows: number },
): readonly Answer[] {
  const sorted = vectors.toSorted(byKnown);
  const join = new PointInTimeJoin(requestColumns(requests), ttlUs);
  for (let at = 0; at < sorted.length; at += chunkRows)
    join.push(vectorColumns(sorted.slice(at, at + chunkRows)));
  const { status, source, seq } = join.finish();
  return requests.map((_, i) => ({
    status: PICK_STATUS[status[i] ?? -1] ?? "",
    source: source[i] ?? NaN,
    seq: seq[i] ?? NaN,
  }));
}

/** As an arbitrary stream is: thousands of windows, most known soon after they ended, some late, some corrected. */
function longStream(seed: number): { vectors: ModelVector[]; requests: ModelRequest[] } {
  const random = seededRandom(seed);
  const vectors = Array.from({ length: 6_000 }, (_, seq): ModelVector => {
    const endUs = random.int(5_000);
    const lateUs = random.next() < 0.1 ? random.int(3_000) : random.int(5);
    return { entity: random.int(2), endUs, knownUs: endUs + lateUs, source: random.int(2), revision: 0, seq };
  });
  const requests = Array.from({ length: 200 }, (): ModelRequest => {
    const eventUs = random.int(6_000);
    const knownUs = random.next() < 0.2 ? random.int(9_000) : eventUs;
    return { entity: random.int(3), eventUs, knownUs };
  });
  return { vectors, requests: requests.toSorted(byKnown) };
}

/** Small ranges, so that ties, edges of the time-to-live and empty entities are common. */
const entity = fc.integer({ min: 0, max: 3 });
const timeUs = fc.integer({ min: 0, max: 40 });
const vectorsOf = fc
  .array(
    fc.record({
      entity,
      endUs: timeUs,
      // Late by anything, also known before its window ended: a clock was wrong.
      knownUs: fc.integer({ min: 0, max: 80 }),
      source: fc.integer({ min: 0, max: 3 }),
      revision: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 60 },
  )
  .map((vectors) => vectors.map((vector, seq) => ({ ...vector, seq })));
const requestsOf = fc
  .array(fc.record({ entity, eventUs: timeUs, knownUs: fc.integer({ min: 0, max: 80 }) }), { maxLength: 40 })
  .map((requests) => requests.toSorted(byKnown));

test("each request gets the newest vector that had ended and was known by then, within the time-to-live", () => {
  fc.assert(
    fc.property(
      requestsOf,
      vectorsOf,
      fc.integer({ min: 0, max: 45 }),
      fc.integer({ min: 1, max: 70 }),
      (requests, vectors, ttlUs, chunkRows) => {
        const expected = requests.map((request) => answerOf(request, vectors, ttlUs));
        expect(joined(requests, vectors, { ttlUs, chunkRows })).toEqual(expected);
      },
    ),
    { numRuns: 300 },
  );
});

test("forgetting what no request can ask for any more changes no answer", () => {
  fc.assert(
    fc.property(fc.integer(), fc.constantFrom(0, 20, 500), (seed, ttlUs) => {
      const { vectors, requests } = longStream(seed);
      const expected = requests.map((request) => answerOf(request, vectors, ttlUs));
      expect(joined(requests, vectors, { ttlUs, chunkRows: 999 })).toEqual(expected);
    }),
    { numRuns: 10 },
  );
});

test("what becomes known later changes no answer for an earlier known-at time", () => {
  fc.assert(
    fc.property(requestsOf, vectorsOf, vectorsOf, (requests, vectors, more) => {
      const latestUs = requests.reduce((latest, { knownUs }) => Math.max(latest, knownUs), 0);
      const later = more.map((vector, i) => ({
        ...vector,
        seq: 1_000 + i,
        knownUs: latestUs + 1 + vector.knownUs,
      }));
      const options = { ttlUs: 10, chunkRows: 7 };
      expect(joined(requests, [...vectors, ...later], options)).toEqual(joined(requests, vectors, options));
    }),
    { numRuns: 100 },
  );
});

test("a window that becomes known late does not hide the one before it until then", () => {
  const vector = { entity: 0, source: 0, revision: 0 };
  const vectors = [
    { ...vector, endUs: 10, knownUs: 12, seq: 0 },
    { ...vector, endUs: 20, knownUs: 90, seq: 1 },
    { ...vector, endUs: 10, knownUs: 50, seq: 2, revision: 1 },
  ];
  const at = (knownUs: number): ModelRequest => ({ entity: 0, eventUs: 30, knownUs });
  const answers = joined([at(11), at(12), at(49), at(50), at(89), at(90)], vectors, {
    ttlUs: 100,
    chunkRows: 1,
  });
  expect(answers.map(({ seq }) => seq)).toEqual([-1, 0, 0, 2, 2, 1]);
});

test("windows that no request can ask for any more are forgotten, and the age of the last of them is not", () => {
  const count = 50_000;
  const vectors = Array.from({ length: count }, (_, i) => ({
    entity: 0,
    endUs: i * 10,
    knownUs: i * 10 + 5,
    source: 0,
    revision: 0,
    seq: i,
  }));
  const last = { entity: 0, eventUs: count * 10 + 1_000, knownUs: 1e9 };
  const requests = [
    ...vectors
      .filter((_, i) => i % 100 === 0)
      .map(({ knownUs }) => ({ entity: 0, eventUs: knownUs, knownUs })),
    last,
  ];
  const answers = joined(requests, vectors, { ttlUs: 50, chunkRows: 2_048 });
  expect(answers.slice(0, -1).map(({ seq }) => seq)).toEqual(
    vectors.filter((_, i) => i % 100 === 0).map(({ seq }) => seq),
  );
  expect(answers.at(-1)).toEqual({ status: "OUTSIDE_MAX_AGE", source: 0, seq: count - 1 });
});

test("a history that becomes known backwards is learned as fast as one that does not", () => {
  const count = 200_000;
  const vectors = Array.from({ length: count }, (_, seq) => ({
    entity: 0,
    endUs: (count - seq) * 10,
    knownUs: seq,
    source: 0,
    revision: 0,
    seq,
  }));
  const requests = [100_000, count].map((knownUs) => ({ entity: 0, eventUs: count * 10, knownUs }));
  const last = { entity: 0, eventUs: 15, knownUs: count };
  const startedAtUs = systemClock.monotonicUs();
  const answers = joined([...requests, last], vectors, { ttlUs: 50, chunkRows: 2_048 });
  expect(answers.map(({ seq }) => seq)).toEqual([0, 0, count - 1]);
  // Moving everything at each step would take minutes.
  expect(systemClock.monotonicUs() - startedAtUs).toBeLessThan(10_000_000);
});
