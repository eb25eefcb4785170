import { KnownWindows, type VectorKeys } from "./known-windows.ts";

/**
 * What is asked, by column, in order of (entity, knownUs): the newest vector of the entity whose window ended by
 * `eventUs`, as it was known at `knownUs`. Entities are numbered; times are microseconds since the epoch.
 */
export interface Requests {
  readonly entity: Int32Array;
  readonly eventUs: Float64Array;
  readonly knownUs: Float64Array;
}

/** Vectors by column, in order of (entity, knownUs), cut anywhere. */
export interface KnownVectors extends VectorKeys {
  readonly count: number;
  readonly entity: Int32Array;
  /** When each could first be known. */
  readonly knownUs: Float64Array;
}

/**
 * What became of a request. "NOT_FOUND": the entity had no vector by then. "OUTSIDE_MAX_AGE": the newest one is older
 * than the view's `ttlMs`. "FOUND": there is one; whether it has values is for whoever reads them.
 */
export const PICK_STATUS = ["NOT_FOUND", "OUTSIDE_MAX_AGE", "FOUND"] as const;

const OUTSIDE = PICK_STATUS.indexOf("OUTSIDE_MAX_AGE");
const FOUND = PICK_STATUS.indexOf("FOUND");

/** One answer for each request, by column: the status as its place in PICK_STATUS, and the identity of the vector. */
export interface Picks {
  readonly status: Uint8Array;
  /** -1 where there is none. */
  readonly source: Int32Array;
  /** -1 where there is none. */
  readonly seq: Float64Array;
}

/**
 * The point-in-time join of one view: one answer for each request, from vectors that stream by.
 *
 * Two axes of time: a vector takes part in a request when its window ended by the event time and it was known by the
 * known-at time, both inclusive. So a late or corrected revision is seen only from when it was known, and a window
 * that became known late does not hide the one before it earlier. Of the vectors that take part the one with the
 * latest window wins, and of one window's the newest; it counts while its age, from the end of its window to the
 * event time, is at most `ttlUs`.
 *
 * Both sides come in order of (entity, known-at): each vector is learned once, each request answered as soon as
 * everything known by then has been learned. Memory: the requests, and of one entity the windows that a request to
 * come can still ask for.
 */
export class PointInTimeJoin {
  readonly picks: Picks;
  readonly #requests: Requests;
  readonly #ttlUs: number;
  /** For each request the earliest event time of it and those of its entity that come after it. */
  readonly #earliestUs: Float64Array;
  readonly #known = new KnownWindows();
  #knownEntity = -1;
  #next = 0;
  #learned = 0;

  constructor(requests: Requests, ttlUs: number) {
    const count = requests.entity.length;
    this.#requests = requests;
    this.#ttlUs = ttlUs;
    this.#earliestUs = earliestToCome(requests);
    this.picks = {
      status: new Uint8Array(count),
      source: new Int32Array(count).fill(-1),
      seq: new Float64Array(count).fill(-1),
    };
  }

  /** Requests that are answered already. */
  get answered(): number {
    return this.#next;
  }

  /** Takes the next vectors. */
  push(vectors: KnownVectors): void {
    const { entity, knownUs } = this.#requests;
    for (let row = 0; row < vectors.count; row++) {
      const own = vectors.entity[row] ?? -1;
      const ownKnownUs = vectors.knownUs[row] ?? NaN;
      for (;;) {
        const asked = entity[this.#next];
        if (asked === undefined || asked > own) break;
        if (asked === own && (knownUs[this.#next] ?? NaN) >= ownKnownUs) break;
        this.#answer();
      }
      if (entity[this.#next] === own) this.#learn(vectors, row, own);
    }
  }

  /** Answers what is left, when there are no more vectors. */
  finish(): Picks {
    while (this.#next < this.#requests.entity.length) this.#answer();
    return this.picks;
  }

  #learn(vectors: KnownVectors, row: number, entity: number): void {
    if (this.#knownEntity !== entity) {
      this.#known.clear();
      this.#knownEntity = entity;
    }
    this.#known.learn(vectors, row);
    // Now and then is enough: it bounds the memory by twice what is needed.
    if (++this.#learned % 1_024 === 0)
      this.#known.forgetBefore((this.#earliestUs[this.#next] ?? -Infinity) - this.#ttlUs);
  }

  #answer(): void {
    const request = this.#next++;
    if (this.#requests.entity[request] !== this.#knownEntity) return;
    const eventUs = this.#requests.eventUs[request] ?? NaN;
    const place = this.#known.placeAfter(eventUs) - 1;
    if (place < 0) return;
    const isFresh = eventUs - this.#known.endUs(place) <= this.#ttlUs;
    this.picks.status[request] = isFresh ? FOUND : OUTSIDE;
    this.picks.source[request] = this.#known.source(place);
    this.picks.seq[request] = this.#known.seq(place);
  }
}

function earliestToCome({ entity, eventUs }: Requests): Float64Array {
  const earliest = Float64Array.from(eventUs);
  for (let i = earliest.length - 2; i >= 0; i--)
    if (entity[i] === entity[i + 1]) earliest[i] = Math.min(earliest[i] ?? NaN, earliest[i + 1] ?? NaN);
  return earliest;
}
