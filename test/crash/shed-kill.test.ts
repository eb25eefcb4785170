import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { numberAt } from "@sluice/shared/codec/columns.ts";
import { decodeLanding } from "@sluice/shared/codec/landing.ts";
import { decodeChunk } from "@sluice/shared/codec/row-chunk.ts";
import { assert } from "@sluice/shared/runtime/assert.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { expect, test } from "vitest";
import { type BudgetSite, deviceOf, measuredAtUs, READINGS_PER_MESSAGE } from "../edge/buffer/budget-site.ts";
import { tempFolder } from "../edge/buffer/fixtures.ts";
import { openShedSite, STEP_MESSAGES, windowOf } from "./shed-parts.ts";

const ROUNDS = 6;
const SEED = 20_261_121;

/** Runs the program until it has told of so much work, and kills it; how often it told of each kind. */
async function killShedding(dir: string, lines: number): Promise<number> {
  const path = fileURLToPath(new URL("./shed-program.ts", import.meta.url));
  const program = spawn(process.execPath, [path, dir], { stdio: ["ignore", "pipe", "pipe"] });
  const closed = once(program, "close");
  let told: string[] = [];
  let failure = "";
  program.stderr.setEncoding("utf8").on("data", (text: string) => (failure += text));
  program.stdout.setEncoding("utf8").on("data", (text: string) => {
    told = told.concat(text.trimEnd().split("\n"));
    if (told.length >= lines) program.kill("SIGKILL");
  });
  const [, signal] = await closed;
  assert(signal === "SIGKILL", `the program runs until it is killed: ${failure}`);
  return told.filter((line) => line === "shed").length;
}

/** Offset and place of every reading that the buffer holds. */
function readingsIn({ state }: BudgetSite): readonly string[] {
  const batches = state.peekOutbox(1_000_000, "readings").flatMap(({ body }) => {
    const { count, columns } = decodeLanding("readings", body);
    return Array.from(
      { length: count },
      (_, row) => `${numberAt(columns["offset"], row)}.${numberAt(columns["index"], row)}`,
    );
  });
  const pending = state.readPending("readings", Infinity).chunks.flatMap((chunk) => {
    const { offset, index } = decodeChunk("readings", chunk);
    return Array.from(offset, (value, row) => `${value}.${index[row]}`);
  });
  return [...batches, ...pending];
}

/** What the events say was given up. */
function givenUp({ state }: BudgetSite): number {
  const events = state
    .readPending("events", Infinity)
    .chunks.flatMap((chunk) => decodeChunk("events", chunk));
  return events.reduce((sum, { kind, count }) => sum + (kind.startsWith("shed.") ? count : 0), 0);
}

/** The readings of all anomalous windows of the messages before `end`. */
function anomalousBefore(end: number): readonly string[] {
  const readings: string[] = [];
  for (let first = 0; first < end; first += STEP_MESSAGES) {
    const { device, toUs } = windowOf(first);
    for (let offset = first; measuredAtUs(offset) < toUs; offset++)
      if (deviceOf(offset) === device)
        for (let index = 0; index < READINGS_PER_MESSAGE; index++) readings.push(`${offset}.${index}`);
  }
  return readings;
}

/*
 * Goal: after SIGKILL at any instant, readings that are there and those that the events say were given up add up to all
 * that were derived, and those of anomalous windows are all there.
 * Method: a buffer at a small budget, killed again and again on the same folder, each time looked at in a copy.
 */
test("a gateway that is killed while it makes room has given up exactly what it tells", async () => {
  const dir = tempFolder();
  const random = seededRandom(SEED);
  let sheds = 0;
  for (let round = 0; round < ROUNDS; round++) {
    sheds += await killShedding(dir, (round === 0 ? 60 : 8) + random.int(40));
    const copy = tempFolder();
    cpSync(dir, copy, { recursive: true });
    const site = openShedSite(copy);
    const end = site.state.decodedThrough + 1;
    const found = readingsIn(site);
    const there = new Set(found);
    expect(there.size, "none is there twice").toBe(found.length);
    expect(found.length + givenUp(site)).toBe(end * READINGS_PER_MESSAGE);
    expect(anomalousBefore(end).filter((reading) => !there.has(reading))).toEqual([]);
    const { "shed.readings.thinned": thinned = 0, "shed.readings.dropped": dropped = 0 } =
      site.state.counters();
    expect(thinned + dropped).toBe(givenUp(site));
    site.close();
    rmSync(copy, { recursive: true });
  }
  expect(sheds).toBeGreaterThan(20);
}, 120_000);
