import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { argv } from "node:process";
import { cleanUpLog } from "@sluice/cloud/lake/delta-cleanup.ts";
import { DeltaReader } from "@sluice/cloud/lake/delta-reader.ts";
import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import { SimulatedClock, systemClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { openStore } from "@sluice/shared/store/open.ts";
import { commitOlder } from "../cloud/lake/older-table.ts";
import {
  DAY_US,
  EPOCH,
  label,
  land,
  landReadings,
  prediction,
  quarantined,
  readingBlock,
  vector,
} from "../cloud/lake/rows.ts";
import { freshCommitter } from "../cloud/lake/table-reader.ts";

const place = { gateway: "gw-1", epoch: EPOCH };
const NOON_US = DAY_US + 129_600_000_000;

/** Rows of every table that this version writes, in one or two commits each, from two gateways. */
async function appends(store: ObjectStore): Promise<void> {
  const committer = freshCommitter(store);
  await landReadings(store, 0, 99);
  await landReadings(store, 0, 9, { gateway: "gw-2", stepUs: 9_000_000_000 });
  await land(store, { ...place, stream: "features", from: 0, to: 1 }, [[vector(0), vector(1)]]);
  await land(store, { ...place, stream: "predictions", from: 0, to: 0 }, [[prediction(0)]]);
  await land(store, { ...place, stream: "labels", from: 0, to: 0 }, [[label(0)]]);
  await land(store, { ...place, stream: "quarantine", from: 0, to: 0 }, [[quarantined(0)]]);
  await committer.run();
  await landReadings(store, 100, 119);
  await committer.run();
}

/** So many commits that there are two checkpoints, and a log that was cleaned up to the newer one. */
async function checkpointed(store: ObjectStore): Promise<void> {
  const clock = new SimulatedClock(NOON_US);
  const committer = freshCommitter(store, { clock });
  for (let i = 0; i < 205; i++) {
    await landReadings(store, i, i);
    await committer.run();
    await clock.advance(1_000);
  }
  const prefix = `${tablePrefix("readings")}_delta_log/`;
  const reader = new DeltaReader(store, prefix, (error) => {
    throw error;
  });
  await cleanUpLog({ store, prefix, reader, keepFromMs: Infinity });
}

/** Tables that a version with fewer columns made, and rows of this version on top. */
async function upgraded(store: ObjectStore): Promise<void> {
  const before = { day: "2026-11-21", committedAtMs: NOON_US / 1_000 - 60_000 };
  await commitOlder(
    store,
    { ...place, stream: "readings", from: 0, to: 1 },
    { missing: ["withheld"], rows: [readingBlock(0, 2)], ...before },
  );
  await commitOlder(
    store,
    { ...place, stream: "features", from: 0, to: 0 },
    { missing: ["closed_by", "violations", "withheld"], rows: [[vector(0)]], ...before },
  );
  await commitOlder(
    store,
    { ...place, stream: "predictions", from: 0, to: 0 },
    { missing: ["unlike_training"], rows: [[prediction(0)]], ...before },
  );
  await landReadings(store, 2, 9);
  await land(store, { ...place, stream: "features", from: 1, to: 1 }, [[vector(1)]]);
  await land(store, { ...place, stream: "predictions", from: 1, to: 1 }, [[prediction(1)]]);
  await freshCommitter(store, { clock: new SimulatedClock(NOON_US) }).run();
}

const STATES: Readonly<Record<string, (store: ObjectStore) => Promise<void>>> = {
  appends,
  checkpointed,
  upgraded,
};

/** Makes a lake folder in each state that other readers must be able to read. Usage: node test/readers/main.ts FOLDER */
async function main(folder: string): Promise<void> {
  for (const [name, make] of Object.entries(STATES)) {
    const path = join(resolve(folder), name);
    await mkdir(path, { recursive: true });
    const store = await openStore({ kind: "folder", path }, { clock: systemClock, random: seededRandom(1) });
    await make(store);
  }
}

await main(argv[2] ?? "lakes");
