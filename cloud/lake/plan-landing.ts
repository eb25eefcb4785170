import type { LandingRange } from "@sluice/shared/contract/lake-key.ts";

/** An object below `landing/` whose key says what it holds. */
export interface LandingObject {
  readonly key: string;
  readonly bytes: number;
  readonly range: LandingRange;
}

/** The next object of a gateway and epoch. Where it overlaps what came before, its rows cannot be used. */
export interface Step {
  readonly object: LandingObject;
  readonly overlaps: boolean;
}

/** Offsets that have not come, although later ones have: the rows behind them wait. */
export interface Gap {
  readonly gateway: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  /** Objects that wait behind it. */
  readonly waiting: number;
}

/** What is to be done with the landing objects of one table. */
export interface LandingPlan {
  /** To commit, in range order for each gateway and epoch. */
  readonly steps: readonly Step[];
  /** Say nothing that others do not say: to set aside. */
  readonly foreign: readonly LandingObject[];
  /** Wholly within what is committed. */
  readonly done: readonly LandingObject[];
  readonly gaps: readonly Gap[];
}

interface PlanUnderWay {
  readonly steps: Step[];
  readonly foreign: LandingObject[];
  readonly done: LandingObject[];
  readonly gaps: Gap[];
}

/**
 * Sorts the landing objects of one table by what is to be done with them. Pure.
 *
 * Ranges of a gateway and epoch are committed without gaps, from 0 on; `committedThrough` says how far they are (-1:
 * nothing yet). An object that begins within what is committed and ends beyond it comes from another writer with the
 * same name: its rows are never used, and its range beyond is passed over, unless another object begins just there.
 */
export function planLanding(
  objects: readonly LandingObject[],
  committedThrough: (gateway: string, epoch: string) => number,
): LandingPlan {
  const plan: PlanUnderWay = { steps: [], foreign: [], done: [], gaps: [] };
  const groups = Map.groupBy(objects, ({ range }) => `${range.gateway}/${range.epoch}`);
  for (const own of groups.values()) {
    const sorted = own.toSorted((a, b) => a.range.from - b.range.from || a.range.to - b.range.to);
    const first = sorted[0]?.range;
    if (first !== undefined) planEpoch(sorted, committedThrough(first.gateway, first.epoch), plan);
  }
  return plan;
}

function planEpoch(sorted: readonly LandingObject[], committed: number, plan: PlanUnderWay): void {
  const begins = new Set(sorted.map(({ range }) => range.from));
  let through = committed;
  for (const [i, object] of sorted.entries()) {
    const { gateway, epoch, from, to } = object.range;
    if (to <= committed) plan.done.push(object);
    else if (from > through + 1) {
      plan.gaps.push({ gateway, epoch, from: through + 1, to: from - 1, waiting: sorted.length - i });
      return;
    } else if (from === through + 1 || (to > through && !begins.has(through + 1))) {
      plan.steps.push({ object, overlaps: from <= through });
      through = to;
    } else plan.foreign.push(object);
  }
}

/** What one commit may take. */
export interface BatchLimits {
  /** Bytes of objects as they lie in the lake. */
  readonly bytesMax: number;
  readonly objectsMax: number;
}

/** The first steps that one commit may take, and at least one. Pure. */
export function firstBatch(steps: readonly Step[], { bytesMax, objectsMax }: BatchLimits): readonly Step[] {
  let bytes = 0;
  const end = steps.findIndex(({ object }, i) => {
    bytes += object.bytes;
    return i > 0 && (bytes > bytesMax || i >= objectsMax);
  });
  return end < 0 ? steps : steps.slice(0, end);
}
