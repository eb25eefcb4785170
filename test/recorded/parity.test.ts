// A short form of `npm run recorded -- parity`, and the same on made-up data for a machine without recordings.
import { featureViewSchema } from "@sluice/shared/contract/feature-view.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import * as fc from "fast-check";
import { join } from "node:path";
import { expect, test } from "vitest";
import { everyFunction } from "../shared/features/functions-all.ts";
import { type Check, Checks } from "./checks.ts";
import { hasCwru, readCwru } from "./cwru-files.ts";
import { recordingOf } from "./cwru-recording.ts";
import { gasTurbineRecording, hasGasTurbine } from "./gas-turbine-recording.ts";
import { proveParity } from "./parity.ts";
import { checkBits, checkHappened } from "./parity-recordings.ts";
import { PARITY_VIEWS } from "./parity-views.ts";
import { inEventTime, type Recording } from "./recording.ts";
import { hasSkab } from "./skab.ts";
import { readSkab } from "./skab-files.ts";
import { skabRecording } from "./skab-recording.ts";

/** Each syncs to disk some hundred times. */
const TIMEOUT_MS = 120_000;

const dataDir = process.env["SLUICE_DATA"] ?? join(import.meta.dirname, "../../../shared/data");

for (const [isThere, folder] of [
  [hasSkab(dataDir), "skab"],
  [hasGasTurbine(dataDir), "gas-turbine"],
  [hasCwru(dataDir), "cwru"],
] as const)
  if (!isThere) console.warn(`SKIPPED: there is no ${join(dataDir, folder)}; set SLUICE_DATA`);

function failuresOf(recording: Recording, seed: number): readonly Check[] {
  const checks = new Checks(() => undefined);
  for (const row of proveParity(recording, seed)) {
    checkBits(checks, row);
    checkHappened(checks, row);
  }
  return checks.made.filter(({ held }) => !held);
}

test.skipIf(!hasSkab(dataDir))(
  "runs of a valve are the same bits at the edge and computed again",
  () => {
    const runs = readSkab(dataDir).valve1.slice(0, 1);
    expect(failuresOf(skabRecording(runs, PARITY_VIEWS.skab), 1)).toEqual([]);
  },
  TIMEOUT_MS,
);

test.skipIf(!hasGasTurbine(dataDir))(
  "a turbine's years are the same bits at the edge and computed again",
  () => {
    expect(failuresOf(gasTurbineRecording(dataDir, PARITY_VIEWS.gasTurbine, 400), 2)).toEqual([]);
  },
);

test.skipIf(!hasCwru(dataDir))(
  "vibration at 12 kHz is the same bits at the edge and computed again",
  () => {
    const [record] = readCwru(dataDir);
    if (record === undefined) throw new Error("no record");
    const start = { ...record, samples: record.samples.subarray(0, 60_000) };
    expect(failuresOf(recordingOf([start], PARITY_VIEWS.cwru), 3)).toEqual([]);
  },
  TIMEOUT_MS,
);

/** Devices that walk at random, a message every 100 ms; metric b only in every third. */
function madeUp(seed: number): Recording {
  const random = seededRandom(seed);
  const devices = ["d1", "d2", "d3"].map((device) => {
    let level = random.normal();
    return Array.from({ length: 150 }, (_, n) => {
      level += random.normal();
      const endUs = 1_767_600_000_000_000 + n * 100_000;
      const value = { t: endUs, a: level, ...(n % 3 === 0 ? { b: random.int(5) } : {}) };
      const payload = new TextEncoder().encode(JSON.stringify(value));
      return { device, topic: `plant/${device}/telemetry`, payload, endUs };
    });
  });
  const windows = [
    { kind: "tumbling", sizeMs: 1_000 },
    { kind: "hopping", sizeMs: 3_000, hopMs: 500 },
    { kind: "sliding", sizeMs: 1_000 },
    { kind: "session", sizeMs: 5_000, gapMs: 150 },
    { kind: "count", of: "b", readings: 7 },
  ];
  return {
    name: `seed ${seed}`,
    decode: {
      routes: [
        {
          topic: "plant/{device}/telemetry",
          deviceType: "pump",
          payload: { format: "json", time: { path: "t", unit: "us" }, metrics: { a: "a", b: "b" } },
        },
      ],
      duplicateWindowMessages: 200,
    },
    views: windows.map((window) =>
      featureViewSchema.parse({
        name: window.kind,
        owner: "tests",
        match: { deviceType: "pump" },
        window: { allowedLatenessMs: 2_000, correctionMs: 1_000, ...window },
        inputs: { a: { metric: "a" }, b: { metric: "b" } },
        features: everyFunction().map((feature) => ({ name: feature.fn, ...feature })),
      }),
    ),
    messages: inEventTime(devices),
    delayMsMax: 2_000,
  };
}

/*
 * Goal: the vectors of a gateway follow from the readings alone. Method: the real buffer, decoder and pipeline on
 * messages that come in chance order within the lateness, some twice, with steps, checkpoints and power cuts at chance
 * times; all functions of the library; compared as bits with the engine over the stored readings and over the messages
 * in their order.
 */
test(
  "whatever the order, the duplicates, the checkpoints and the power cuts, the vectors are the same bits",
  () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000 }), (seed) => {
        const checks = new Checks(() => undefined);
        for (const row of proveParity(madeUp(seed), seed)) checkBits(checks, row);
        expect(checks.made.filter(({ held }) => !held)).toEqual([]);
      }),
      { numRuns: 3 },
    );
  },
  TIMEOUT_MS,
);
