// Feature parity: what a gateway computed of recorded data, whatever happened to it, are the bits that backfill
// computes of its stored readings, and those that a backtest computes of the data in their order.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FeatureVector } from "@sluice/shared/contract/vector.ts";
import { recompute } from "@sluice/shared/features/recompute.ts";
import { type Random, seededRandom } from "@sluice/shared/runtime/random.ts";
import { arrivalsOf } from "./arrivals.ts";
import { decodeInOrder } from "./decode-recording.ts";
import { RecordedSite } from "./recorded-site.ts";
import type { Recording } from "./recording.ts";

/** About how many groups a recording comes in, at least so many messages in each, and what happens after a group. */
const GROUPS = 120;
const GROUP_MESSAGES_MIN = 10;
const STEP_SHARE = 0.6;
const CHECKPOINT_SHARE = 0.15;
const RESTART_SHARE = 0.1;

export interface ParityRow {
  readonly recording: string;
  readonly view: string;
  readonly readings: number;
  readonly messages: number;
  readonly redeliveries: number;
  readonly duplicates: number;
  readonly checkpoints: number;
  readonly restarts: number;
  /** Those of the gateway. */
  readonly vectors: number;
  /** Features of them that are numbers. */
  readonly numbers: number;
  readonly backfill: Comparison;
  readonly backtest: Comparison;
}

export interface Comparison {
  readonly equal: number;
  /** Vectors that differ in a bit, or that only one side has. */
  readonly different: number;
  /** One that differs, for a person. */
  readonly example?: string;
}

/** Replays a recording through a gateway in a temporary folder, from a seed, and computes everything again in two ways. */
export function proveParity(recording: Recording, seed: number): readonly ParityRow[] {
  const dir = mkdtempSync(join(tmpdir(), "sluice-parity-"));
  const site = new RecordedSite(join(dir, "buffer"), recording);
  try {
    const happened = replay(site, recording, seededRandom(seed));
    let readings = 0;
    for (const { count } of site.readings()) readings += count;
    const made = [...site.vectors()];
    return site.views().map((computed): ParityRow => {
      const edge = made.filter(({ viewHash }) => viewHash === computed.hash);
      return {
        recording: recording.name,
        view: computed.view.name,
        readings,
        messages: recording.messages.length,
        redeliveries: site.redeliveries,
        duplicates: site.counters["duplicates"] ?? 0,
        ...happened,
        vectors: edge.length,
        numbers: edge.reduce((sum, { values }) => sum + values.filter(Number.isFinite).length, 0),
        backfill: compare(edge, recompute(computed, site.readings()), storedText),
        backtest: compare(
          edge,
          recompute({ ...computed, sinceOffset: 0 }, decodeInOrder(recording)),
          valuesText,
        ),
      };
    });
  } finally {
    site.close();
    rmSync(dir, { recursive: true });
  }
}

/** Publishes everything in groups of chance sizes, with steps, checkpoints and power cuts between them. */
function replay(
  site: RecordedSite,
  recording: Recording,
  random: Random,
): { readonly checkpoints: number; readonly restarts: number } {
  const arrivals = arrivalsOf(recording, random);
  const groupMessagesMax = Math.round(2 * Math.max(GROUP_MESSAGES_MIN, arrivals.length / GROUPS));
  let [checkpoints, restarts] = [0, 0];
  for (let from = 0; from < arrivals.length;) {
    const to = from + 1 + random.int(groupMessagesMax);
    site.publish(arrivals.slice(from, to));
    from = to;
    if (random.next() < STEP_SHARE) site.step();
    const isLate = from > arrivals.length / 2; // Each happens once at least.
    if (random.next() < CHECKPOINT_SHARE || (isLate && checkpoints === 0)) {
      site.checkpoint();
      checkpoints += 1;
    }
    if (random.next() < RESTART_SHARE || (isLate && restarts === 0)) {
      site.restart();
      restarts += 1;
    }
  }
  while (site.step());
  return { checkpoints, restarts };
}

/** Compares two rows of vectors, in any order, by a text of each. */
function compare(
  edge: readonly FeatureVector[],
  again: Iterable<FeatureVector>,
  textOf: (vector: FeatureVector) => string,
): Comparison {
  const expected = new Map(edge.map((vector) => [keyOf(vector), textOf(vector)]));
  let equal = 0;
  let different = edge.length - expected.size;
  let example = different === 0 ? undefined : "a window has the same revision twice";
  for (const vector of again) {
    const key = keyOf(vector);
    const [wanted, found] = [expected.get(key), textOf(vector)];
    expected.delete(key);
    if (wanted === found) equal += 1;
    else {
      different += 1;
      example ??= `${key}: ${wanted ?? "none"}, computed again ${found}`;
    }
  }
  const [left] = expected.keys();
  if (left !== undefined) example ??= `${left}: not computed again`;
  return { equal, different: different + expected.size, ...(example === undefined ? {} : { example }) };
}

const keyOf = ({ device, windowStartUs, windowEndUs, revision }: FeatureVector): string =>
  `${device} ${windowStartUs} ${windowEndUs} ${revision}`;

/** The bits of all values, and what does not depend on the order of arrival. */
function valuesText({ values, readingCount, viewHash, violations, withheld }: FeatureVector): string {
  const bits = Float64Array.from(values, (value) => value ?? Number.NaN);
  const missing = values.map((value) => (value === undefined ? "-" : "+")).join("");
  return [
    viewHash,
    readingCount,
    missing,
    Buffer.from(bits.buffer).toString("hex"),
    withheld,
    ...violations,
  ].join(" ");
}

/** Everything of a vector but its number in the stream. */
function storedText(vector: FeatureVector): string {
  const { sinceOffset, throughOffset, closedAtUs, closedBy } = vector;
  return `${valuesText(vector)} ${sinceOffset} ${throughOffset} ${closedAtUs} ${closedBy}`;
}
