import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { expect, test } from "vitest";
import { ALL, refusingLog, tempFolder, text } from "../edge/buffer/fixtures.ts";
import { nthMessage, openParts } from "./pipeline-parts.ts";
import { killProgram } from "./kill-program.ts";

const ROUNDS = 7;
const SEED = 20_260_727;

type Parts = ReturnType<typeof openParts>;

/** Offset and place of every reading, and every vector, that waits for the lake. */
function derived({ state }: Parts): { readings: string[]; vectors: string[]; from: number; to: number } {
  const readings: string[] = [];
  for (const chunk of state.readPending("readings", 1e9).chunks) {
    const block = decodeChunk("readings", chunk);
    for (let i = 0; i < block.count; i++)
      readings.push(`${block.offset[i]}/${block.index[i]} ${block.value[i]}`);
  }
  const { chunks, from, to } = state.readPending("features", 1e9);
  const vectors = chunks.flatMap((chunk) => decodeChunk("features", chunk));
  return { readings, vectors: vectors.map((vector) => JSON.stringify(vector)), from, to };
}

/** What is in the buffer must be what was published, each message once, in order, and all that was acknowledged. */
function checkMessages(parts: Parts, acknowledged: number): void {
  const stored = parts.messages.read(0, ALL);
  expect(stored.length).toBeGreaterThan(acknowledged);
  expect(stored.map(({ offset }) => offset)).toEqual(stored.map((_, i) => i));
  expect(stored.map(({ payload }) => text(payload))).toEqual(
    stored.map((_, n) => text(nthMessage(n).payload)),
  );
  expect(parts.messages.stats().damages).toEqual([]);
}

/** What was derived must cover exactly the messages that count as derived, three readings of each. */
function checkDerived(parts: Parts): void {
  const { state, messages } = parts;
  expect(state.decodedThrough).toBeLessThan(messages.nextOffset);
  const { readings } = derived(parts);
  const offsets = Array.from({ length: state.decodedThrough + 1 }, (_, offset) => offset);
  expect(readings.map((reading) => reading.split(" ")[0])).toEqual(
    offsets.flatMap((offset) => [0, 1, 2].map((index) => `${offset}/${index}`)),
  );
  expect(state.counters()).toMatchObject({ messages: offsets.length, readings: 3 * offsets.length });
  expect(state.counters()["lost"]).toBeUndefined();
}

/*
 * Goal: after SIGKILL at any instant nothing acknowledged is missing, nothing is stored twice, and every message counts
 * once in everything that is derived from it, to the bit.
 * Method: a publisher that sends again, as redeliveries, what was not acknowledged. Its gateway is killed again and
 * again on the same folder; in the end everything is derived once more from the raw log alone, and compared.
 */
test("a gateway that is killed again and again loses nothing and counts nothing twice", async () => {
  const dir = tempFolder();
  const random = seededRandom(SEED);
  let acknowledged = -1;
  for (let round = 0; round < ROUNDS; round++) {
    acknowledged = await killProgram(
      { dir, first: acknowledged + 1, resent: round === 0 ? 0 : 2_000 },
      1 + random.int(2_500),
    );
    // A look at a copy: opening the folder itself would mend what the next round must find.
    const copy = tempFolder();
    cpSync(dir, copy, { recursive: true });
    const parts = openParts(copy, refusingLog());
    checkMessages(parts, acknowledged);
    checkDerived(parts);
    parts.close();
    rmSync(copy, { recursive: true });
  }
  expect(acknowledged).toBeGreaterThan(ROUNDS * 500);

  const parts = openParts(dir, refusingLog());
  while (parts.pipeline.step());
  checkDerived(parts);
  const lived = derived(parts);
  parts.close();
  const fresh = tempFolder();
  cpSync(join(dir, "segments"), join(fresh, "segments"), { recursive: true });
  const again = openParts(fresh, refusingLog());
  while (again.pipeline.step());
  const recomputed = derived(again);
  again.close();
  expect(lived.vectors.length).toBeGreaterThan(100);
  expect(lived).toEqual(recomputed);
}, 60_000);
