import { CHAMPION } from "@sluice/shared/contract/alias.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { Registry } from "../registry/registry.ts";
import { readReported } from "../rollout/fleet-files.ts";
import { fleetState } from "../rollout/rollout.ts";

/** A version of a model that takes its inputs from a view. */
export interface ModelUse {
  readonly model: string;
  readonly version: number;
  readonly isChampion: boolean;
  /** Names of the view's features that it takes. */
  readonly inputs: readonly string[];
  readonly datasetId: string;
}

/** Who uses which view, each by the view's hash. */
export interface Uses {
  readonly models: ReadonlyMap<string, readonly ModelUse[]>;
  /** Gateways whose last report says that they compute it. */
  readonly gateways: ReadonlyMap<string, readonly string[]>;
  /** What could not be read, with the reason. */
  readonly unreadable: readonly string[];
}

/** Looks through the registry and the reports of the fleet. */
export async function findUses(store: ObjectStore, clock: Clock): Promise<Uses> {
  const unreadable: string[] = [];
  const models = new Map<string, ModelUse[]>();
  for (const model of await modelNames(store)) {
    const registry = await Registry.open({ store, model, publicKeysPem: [], clock });
    const champion = await registry.alias(CHAMPION);
    for (const found of await registry.versions())
      if (found.state === "unreadable") unreadable.push(`${model} ${found.version}: ${found.reason}`);
      else {
        const { viewHash, inputs, training } = found.manifest;
        const { version } = found;
        const use = {
          model,
          version,
          isChampion: version === champion,
          inputs,
          datasetId: training.datasetId,
        };
        models.set(viewHash, [...(models.get(viewHash) ?? []), use]);
      }
  }
  const gateways = new Map<string, string[]>();
  for (const { gateway } of await fleetState(store)) {
    const reported = await readReported(store, gateway);
    if (reported.state === "unreadable") unreadable.push(reported.reason);
    if (reported.state !== "read") continue;
    for (const hash of new Set(reported.value.viewHashes))
      gateways.set(hash, [...(gateways.get(hash) ?? []), gateway]);
  }
  return { models, gateways, unreadable };
}

async function modelNames(store: Pick<ObjectStore, "list">): Promise<readonly string[]> {
  const names = new Set<string>();
  for await (const { key } of store.list("registry/")) {
    const name = /^registry\/([a-z][a-z0-9_-]{0,63})\//.exec(key)?.[1];
    if (name !== undefined) names.add(name);
  }
  return [...names].sort();
}
