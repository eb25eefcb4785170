import { existsSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { connectPublisher, COUNT_NUMBERED, countedOnce, numbered, publishAll, Site } from "./site.ts";

const START_MS = Date.UTC(2026, 9, 1);

test("a gateway whose state is damaged while it runs goes on in a new epoch, and every reading is in the lake once", async () => {
  const site = await Site.make({ sync: { batchAgeMs: 3_000, pollMs: 50 } });
  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  await publishAll(publisher, numbered(0, 500, START_MS));
  const before = await gateway.statusWhen(
    "rows wait for their batch",
    ({ buffer, sync }) => buffer.decodedThrough === 499 && sync.pendingRows >= 500,
  );
  const path = join(site.dir, "buffer/state.db");
  const state = new Database(path);
  // As a bad sector or a stray write leaves it: the row is there, its bytes are others.
  expect(
    state.prepare("UPDATE pending SET chunk = zeroblob(64) WHERE stream = 'readings'").run().changes,
  ).toBeGreaterThan(0);
  state.close();
  const after = await gateway.statusWhen(
    "a new epoch has begun",
    ({ epoch }) => typeof epoch === "string" && epoch !== before.epoch,
  );
  expect(after.ingest[0]?.connections).toBe(1); // The process and its clients are what they were.
  expect(existsSync(`${path}.damaged`)).toBe(true);
  await publishAll(publisher, numbered(500, 1_000, START_MS));
  await gateway.drained();
  expect(await site.commitAndAsk(COUNT_NUMBERED)).toEqual([countedOnce(1_000)]);
  expect(gateway.stderr).toContain("the buffer is damaged: it is opened anew");
  expect((await gateway.stop()).code).toBe(0);
}, 60_000);
