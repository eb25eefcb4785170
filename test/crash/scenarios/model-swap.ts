import { join } from "node:path";
import { encodeBundle } from "@sluice/shared/codec/bundle-codec.ts";
import { signManifest } from "@sluice/shared/codec/signature.ts";
import { BUNDLE_FILES } from "@sluice/shared/contract/bundle.ts";
import { desiredKey, versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { FolderStore } from "@sluice/shared/store/folder.ts";
import { sampleBundle } from "../../shared/model/sample-bundle.ts";
import { until } from "../programs.ts";
import type { Scenario } from "../scenario.ts";
import { GATEWAY_ID } from "../site.ts";
import type { Trial, TrialResult } from "../trial.ts";
import { dieAtPoint, type Place, pointIn, SYNCS, WRITES } from "./kill-points.ts";

const MODEL = "pump-health";

/** Puts a version into the registry and wishes it on the gateway. */
async function wish(trial: Trial, version: number): Promise<void> {
  const store = new FolderStore(join(trial.site.dir, "lake"));
  const bundle = sampleBundle({ version, seed: version });
  const files = encodeBundle(bundle, signManifest(bundle.manifest, trial.site.keys.privateKeyPem));
  for (const file of ["weights", "signature", "manifest"] as const)
    await store.put(`${versionPrefix(MODEL, version)}${BUNDLE_FILES[file]}`, files[file]);
  const wished = {
    formatVersion: 1,
    gateway: GATEWAY_ID,
    revision: version,
    champion: { model: MODEL, version },
    updatedAtUs: systemClock.nowUs(),
    reason: "the crash suite wants it",
  };
  await store.put(desiredKey(GATEWAY_ID), new TextEncoder().encode(JSON.stringify(wished)));
}

const PLACES: readonly Place[] = [
  { pattern: "*/models/*", operations: WRITES, among: 4 },
  { pattern: "*/models/*", operations: SYNCS, among: 6 },
  { pattern: "*/models/*", operations: ["rename", "renamed"], among: 2 },
  { pattern: "*/models/*", operations: ["unlink", "unlinked"], among: 3 },
];

async function swapAndKill(trial: Trial): Promise<TrialResult> {
  await trial.begin();
  let reached = 0;
  while (trial.kills < trial.wanted) {
    await wish(trial, trial.kills + 1);
    if (await dieAtPoint(trial, trial.start({ kill: pointIn(PLACES, trial) }))) reached += 1;
  }
  trial.notePoints(reached);
  const version = trial.kills + 1;
  await wish(trial, version);
  const status = await trial.drain({
    settled: () =>
      until("the wished model is in the slot", async () => {
        const { slot } = (await trial.site.getStatus()).inference;
        return slot.state === "ready" && slot.model.version === version;
      }),
  });
  return trial.result(status);
}

export const MODEL_SWAP: readonly Scenario[] = [
  {
    name: "inside a model swap",
    what: "SIGKILL before, in the middle of and after a write, sync, rename or removal of a new model's files; at the end the newest model must score.",
    needs: ["cc"],
    share: 5,
    trialKillsMax: 15,
    run: swapAndKill,
  },
];
