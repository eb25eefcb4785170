import { epochPrefix, LANDING_PREFIX, offsetKey, parseLandingKey } from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { ObjectInfo, ObjectStore } from "@sluice/shared/store/object-store.ts";
import type { LandingObject } from "./plan-landing.ts";

/** Objects that a store lists in one request: where fewer can be passed over, asking anew saves nothing. */
const PAGE = 1_000;

/** Objects that are worked on at a time, so that memory does not grow with the backlog. */
const FOUND_MAX = 50_000;

/** What a walk knows of what is done. */
export interface Done {
  /** The last offset that is committed; -1: none. */
  through(stream: Stream, gateway: string, epoch: string): number;
  /** Objects of committed ranges that are known to lie there still. */
  keptOf(stream: Stream, gateway: string, epoch: string): number;
  /** Whether this object is one of them. */
  isKept(key: string): boolean;
}

/** Some of what lies in landing, in key order. */
export interface Found {
  readonly objects: readonly LandingObject[];
  /** Objects with keys that no gateway makes. */
  readonly strangers: readonly ObjectInfo[];
}

/**
 * Walks over the landing objects in key order, and over those that are known to be done in one step.
 *
 * The store lists in pages. Where an epoch has more than a page of objects that are committed and wait out their
 * grace, the walk asks anew from the offset that is expected next: so a pass costs requests by what is new, by the
 * epochs that have much behind them, and by a page for each thousand others. A `full` walk passes over nothing: it
 * finds what came late below what is committed.
 */
export async function* walkLanding(
  store: ObjectStore,
  done: Done,
  { full }: { readonly full: boolean },
): AsyncGenerator<Found> {
  let found = { objects: [] as LandingObject[], strangers: [] as ObjectInfo[] };
  const passedOver = new Set<string>();
  for (let startAfter: string | undefined = ""; startAfter !== undefined;) {
    const from: string = startAfter;
    startAfter = undefined;
    for await (const info of store.list(LANDING_PREFIX, from === "" ? {} : { startAfter: from })) {
      const range = parseLandingKey(info.key);
      if (range === undefined) found.strangers.push(info);
      else {
        const { stream, gateway, epoch } = range;
        const prefix = epochPrefix(range);
        if (!full && !passedOver.has(prefix) && done.keptOf(stream, gateway, epoch) > PAGE) {
          passedOver.add(prefix);
          const expected = `${prefix}${offsetKey(done.through(stream, gateway, epoch) + 1)}`;
          if (expected > info.key) {
            startAfter = expected;
            break;
          }
        }
        if (!done.isKept(info.key)) found.objects.push({ ...info, range });
      }
      if (found.objects.length + found.strangers.length < FOUND_MAX) continue;
      yield found;
      found = { objects: [], strangers: [] };
    }
  }
  yield found;
}

/** The objects that begin at an offset, asked for by name: a list that lags may not have shown them. */
export async function findAt(
  store: ObjectStore,
  range: { readonly stream: Stream; readonly gateway: string; readonly epoch: string; readonly from: number },
): Promise<readonly LandingObject[]> {
  const objects: LandingObject[] = [];
  for await (const info of store.list(`${epochPrefix(range)}${offsetKey(range.from)}-`)) {
    const parsed = parseLandingKey(info.key);
    if (parsed !== undefined) objects.push({ ...info, range: parsed });
  }
  return objects;
}
