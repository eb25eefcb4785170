import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Bodies } from "./body.ts";
import type { Damage } from "./damage.ts";
import { Segment } from "./segment.ts";
import { setAside } from "./sqlite-file.ts";
import {
  describeSalvage,
  mendedPath,
  putInPlace,
  removeDatabase,
  type Salvaged,
  salvageSegment,
} from "./tools/salvage.ts";
import { walDamage } from "./tools/sqlite-wal.ts";

export interface OpenedSegment {
  /** Undefined where nothing could be saved. */
  readonly segment: Segment | undefined;
  /** Whether it is as it was written: only such a file may be written to. */
  readonly isWhole: boolean;
  readonly damages: readonly Damage[];
}

export interface SegmentPlace {
  readonly path: string;
  readonly firstOffset: number;
  /** Where the next segment begins; undefined for the newest. */
  readonly endOffset: number | undefined;
  readonly bodies: Bodies;
}

/**
 * Opens a segment and mends it where it is damaged.
 *
 * Only the newest is read through: it is the one that was written to when the power failed, and that will be written to
 * again. To read a backlog of gigabytes at each start would keep devices waiting for minutes; the others are looked at
 * from outside, and their groups prove themselves by their checksums when they are read.
 */
export function openSegment(place: SegmentPlace): OpenedSegment {
  const { path, firstOffset, endOffset, bodies } = place;
  try {
    // Before SQLite sees it: SQLite would fold the log together without the commits behind the damage.
    const lostCommits = walDamage(path);
    if (lostCommits !== undefined) throw new PipelineError("buffer.damaged", `${path}: ${lostCommits}`);
    const segment = new Segment(path, firstOffset, bodies);
    const problems = endOffset === undefined ? segment.check() : segment.checkShape();
    if (problems.length === 0 && endOffset === undefined) segment.fold();
    segment.rest();
    if (problems[0] !== undefined) throw new PipelineError("buffer.damaged", `${path}: ${problems[0]}`);
    return { segment, isWhole: true, damages: [] };
  } catch (error) {
    if (!(error instanceof PipelineError) || error.code !== "buffer.damaged") throw error;
    return mendSegment(place, error);
  }
}

/**
 * Puts a new file in the place of a damaged one, with every group that is whole; the damaged one is set aside. Takes about
 * a second for 32 MiB. Throws PipelineError "buffer.disk_full" where there is no room for it; then nothing has changed.
 */
export function mendSegment(place: SegmentPlace, error: PipelineError): OpenedSegment {
  const { path, firstOffset, endOffset, bodies } = place;
  const salvaged = salvageSegment(path, { firstOffset, endOffset, target: mendedPath(path) });
  const asItIs = salvaged.problems.length === 0 ? tryOpen(place) : undefined;
  if (asItIs !== undefined) {
    // It was mended before: what is missing in it is not to be had, and it is not set aside once more.
    removeDatabase(salvaged.path);
    const reason = "messages that were stored, or may have been, are not there";
    return { segment: asItIs, isWhole: false, damages: damagesOf(salvaged, path, reason) };
  }
  if (salvaged.groups === 0) {
    removeDatabase(salvaged.path);
    const damage = { file: path, fromOffset: firstOffset, endOffset };
    const reason = `${describeError(error)}; nothing could be saved from it, it is kept as ${setAside(path)}`;
    return { segment: undefined, isWhole: false, damages: [{ ...damage, reason }] };
  }
  const reason = describeSalvage(putInPlace(path), salvaged, error);
  return {
    segment: new Segment(path, firstOffset, bodies),
    isWhole: false,
    damages: damagesOf(salvaged, path, reason),
  };
}

function tryOpen({ path, firstOffset, bodies }: SegmentPlace): Segment | undefined {
  try {
    return new Segment(path, firstOffset, bodies);
  } catch {
    return undefined; // SQLite sees more than we do: a new file takes its place.
  }
}

const damagesOf = ({ lost }: Salvaged, file: string, reason: string): readonly Damage[] =>
  lost.map(({ from, end }) => ({ file, fromOffset: from, endOffset: end, reason }));
