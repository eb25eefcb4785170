import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lake } from "@sluice/cloud/lake/lake.ts";
import { lakeSettingsSchema } from "@sluice/cloud/lake/settings.ts";
import { type FeatureView, featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { onTestFinished } from "vitest";

export const GATEWAY = "gw-1";
export const EPOCH = "0198a6d2-8c1f-4a5e-9d3b-2f6f0c9a1b7e";

export interface OpenedLake {
  readonly store: ObjectStore;
  readonly lake: Lake;
  /** A folder for the test's files. */
  readonly dir: string;
}

/** An empty lake in memory, gone when the test ends. */
export async function openLake(store: ObjectStore = new MemoryStore()): Promise<OpenedLake> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-features-"));
  const lake = await Lake.open({
    store,
    settings: lakeSettingsSchema.parse({ cacheDir: join(dir, "cache") }),
    clock: systemClock,
    log: silentLog,
  });
  onTestFinished(async () => {
    await lake.close();
    await rm(dir, { recursive: true });
  });
  return { store, lake, dir };
}

/** A view with two features; what is said takes the place of what is here. */
export const pumpView = (change: object = {}): FeatureView =>
  featureViewSchema.parse({
    name: "pump_health",
    owner: "reliability",
    match: { deviceType: "pump" },
    window: { kind: "tumbling", sizeMs: 1_000, allowedLatenessMs: 0 },
    inputs: { level: { metric: "level" } },
    features: [
      { name: "level_mean", fn: "mean", of: "level" },
      { name: "level_max", fn: "max", of: "level" },
    ],
    ttlMs: 10_000,
    ...change,
  });
