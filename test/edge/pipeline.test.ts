import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import { assert } from "@sluice/shared/runtime/assert.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import Database from "better-sqlite3";
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { nthMessage, openParts } from "../crash/pipeline-parts.ts";
import { codeOf, groupOf, tempFolder } from "./buffer/fixtures.ts";

type Parts = ReturnType<typeof openParts>;

function publish({ messages }: Parts, from: number, end: number): void {
  for (let n = from; n < end; n += 50)
    messages.append(groupOf(Array.from({ length: Math.min(50, end - n) }, (_, i) => nthMessage(n + i))));
}

function vectors({ state }: Parts): string[] {
  const { chunks } = state.readPending("features", 1e9);
  return chunks.flatMap((chunk) => decodeChunk("features", chunk)).map((vector) => JSON.stringify(vector));
}

const run = ({ pipeline }: Parts): void => {
  while (pipeline.step());
};

/** The vectors of the first messages, made in one go. */
function madeAtOnce(end: number): string[] {
  const parts = openParts(tempFolder(), silentLog);
  publish(parts, 0, end);
  run(parts);
  const made = vectors(parts);
  parts.close();
  return made;
}

test("a full disk holds steps up, and then every message counts once, to the bit", () => {
  const pragma = vi.spyOn(Database.prototype, "pragma");
  const parts = openParts(tempFolder(), silentLog);
  const file = pragma.mock.contexts.find(
    (file) => file instanceof Database && file.name.endsWith("state.db"),
  );
  pragma.mockRestore();
  assert(file instanceof Database, "the open state file");
  publish(parts, 0, 500);
  run(parts);
  publish(parts, 500, 3_000);
  file.pragma(`max_page_count = ${Number(file.pragma("page_count", { simple: true }))}`);
  for (let attempt = 0; attempt < 3; attempt++)
    expect(codeOf(() => parts.pipeline.step())).toBe("buffer.disk_full");
  expect(codeOf(() => parts.pipeline.checkpoint())).toBe("buffer.disk_full");
  expect(parts.state.decodedThrough).toBe(499);
  publish(parts, 3_000, 4_000); // Messages are still taken and acknowledged.
  file.pragma("max_page_count = 1000000");
  run(parts);
  expect(parts.state.counters()).toMatchObject({ messages: 4_000, readings: 12_000 });
  expect(vectors(parts)).toEqual(madeAtOnce(4_000));
  parts.close();
});

test("a pipeline goes on after a restart as if there had been none, with a checkpoint and without", () => {
  const dir = tempFolder();
  let parts = openParts(dir, silentLog);
  for (let n = 0; n < 4_000; n += 400) {
    publish(parts, n, n + 400);
    parts.pipeline.step();
    if (n % 1_200 === 0) parts.pipeline.checkpoint();
    parts.close(); // Without a last checkpoint, as after a kill.
    parts = openParts(dir, silentLog);
  }
  run(parts);
  expect(vectors(parts)).toEqual(madeAtOnce(4_000));
  parts.close();
});

test("messages that are damaged on disk are passed over once and counted, and do not hold the others up", () => {
  const dir = tempFolder();
  let parts = openParts(dir, silentLog);
  publish(parts, 0, 300);
  parts.close();
  const name = readdirSync(join(dir, "segments")).find((name) => name.endsWith(".db")) ?? "";
  const file = new Database(join(dir, "segments", name));
  file.exec("UPDATE message_group SET body = x'00' WHERE first IN (100, 250)");
  file.close();
  parts = openParts(dir, silentLog);
  run(parts);
  expect(parts.state.decodedThrough).toBe(299); // The last messages too, though nothing comes after them.
  expect(parts.state.counters()).toMatchObject({ messages: 200, readings: 600, lost: 100 });
  expect(parts.pipeline.step()).toBe(false);
  publish(parts, 300, 400);
  parts.close();
  // The replay after a restart ends before what no step has seen, though the messages before it are lost.
  parts = openParts(dir, silentLog);
  run(parts);
  expect(parts.state.counters()).toMatchObject({ messages: 300, readings: 900, lost: 100 });
  const lived = vectors(parts);
  parts.close();
  const fresh = tempFolder();
  cpSync(join(dir, "segments"), join(fresh, "segments"), { recursive: true });
  parts = openParts(fresh, silentLog);
  run(parts);
  expect(vectors(parts)).toEqual(lived);
  parts.close();
});
