import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Plant } from "../../../simulators/plant/plant.ts";
import { parsePlantState } from "../../../simulators/plant/plant-state.ts";
import { PlantRunner } from "../../../simulators/plant/run-plant.ts";
import type { PlantPublisher, PlantRun } from "../../../simulators/plant/run-plant.ts";

const START_US = 1_700_000_000_000_000;

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
});

/** Takes the first `capacity` messages and refuses the others, as a publisher with a full window does. */
function publisherOf(capacity = Infinity): PlantPublisher & { readonly payloads: string[] } {
  const payloads: string[] = [];
  return {
    payloads,
    publish: (_topic, payload) => {
      if (payloads.length >= capacity) return Promise.reject(new Error("overloaded"));
      payloads.push(payload);
      return Promise.resolve();
    },
    drain: () => Promise.resolve(0),
    stats: () => ({
      sent: payloads.length,
      acknowledged: payloads.length,
      resent: 0,
      reconnects: 0,
      lost: 0,
      inFlight: 0,
      waiting: 0,
      ackLatencyMs: { p50: 0, p95: 0, p99: 0, max: 0 },
    }),
  };
}

function runOf(changes: Partial<PlantRun> & Pick<PlantRun, "clock" | "publisher">): PlantRun {
  return {
    plant: new Plant({ seed: 1, pumps: 2, demand: "demo", dropout: 0, rubbish: 0 }, START_US),
    intervalMs: 200,
    durationMs: 2_000,
    stateFile: undefined,
    truthFile: undefined,
    signal: new AbortController().signal,
    ...changes,
  };
}

/** Runs to its end while simulated time goes on. */
async function play<T>(clock: SimulatedClock, work: Promise<T>): Promise<T> {
  const ended = new AbortController();
  const result = work.finally(() => ended.abort());
  while (!ended.signal.aborted) {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(10);
  }
  return result;
}

const timesOf = (payloads: readonly string[]): number[] =>
  payloads.map((payload): number => JSON.parse(payload).ts - START_US / 1_000);

test("a plant publishes one message a pump at every whole interval, until its time is over", async () => {
  const clock = new SimulatedClock(START_US + 30_000);
  const publisher = publisherOf();
  const summary = await play(clock, new PlantRunner(runOf({ clock, publisher, durationMs: 1_000 })).run());
  expect(timesOf(publisher.payloads)).toEqual([200, 200, 400, 400, 600, 600, 800, 800, 1_000, 1_000]);
  expect(summary).toMatchObject({ steps: 5, skippedSteps: 0, shed: 0, unacknowledged: 0 });
});

test("after a short hold-up a plant catches up, after a long one it says what it left out", async () => {
  for (const { heldUpS, durationMs, steps, skippedSteps } of [
    { heldUpS: 4, durationMs: 10_000, steps: 50, skippedSteps: 0 },
    { heldUpS: 20, durationMs: 30_000, steps: 50, skippedSteps: 100 },
    // It ends while it is held up.
    { heldUpS: 20, durationMs: 10_000, steps: 5, skippedSteps: 45 },
  ]) {
    const clock = new SimulatedClock(START_US + 1);
    // A process that was stopped finds the clock ahead of where it went to sleep.
    let aheadUs = 0;
    const held = {
      nowUs: () => clock.nowUs() + aheadUs,
      monotonicUs: () => clock.monotonicUs() + aheadUs,
      sleep: async (ms: number) => {
        await clock.sleep(ms);
        if (clock.nowUs() - START_US > 1e6) aheadUs = heldUpS * 1e6;
      },
    };
    const run = runOf({ clock: held, publisher: publisherOf(), durationMs });
    const summary = await play(clock, new PlantRunner(run).run());
    expect(summary).toMatchObject({ steps, skippedSteps });
  }
});

test("what the publisher does not take is counted as shed", async () => {
  const clock = new SimulatedClock(START_US);
  const publisher = publisherOf(5);
  const summary = await play(clock, new PlantRunner(runOf({ clock, publisher, durationMs: 1_000 })).run());
  expect(publisher.payloads).toHaveLength(5);
  expect(summary.shed).toBe(2 * summary.steps - 5);
});

test("commands that come all at once are all obeyed and all in the saved state", async () => {
  const dir = mkdtempSync(join(tmpdir(), "sluice-plant-"));
  dirs.push(dir);
  const [stateFile, truthFile] = [join(dir, "plant.json"), join(dir, "truth.ndjson")];
  const clock = new SimulatedClock(START_US);
  const runner = new PlantRunner(runOf({ clock, publisher: publisherOf(), stateFile, truthFile }));
  const command = (device: string, fault: string): Promise<unknown> =>
    runner.control(JSON.stringify({ command: "break", device, fault }));
  const devices = ["pump-1", "pump-2"];
  const faults = ["bearing", "cavitation", "valve", "sensor"];
  await Promise.all(devices.flatMap((device) => faults.map((fault) => command(device, fault))));
  await expect(command("pump-3", "bearing")).rejects.toMatchObject({ code: "plant.command_refused" });
  const state = parsePlantState(JSON.parse(readFileSync(stateFile, "utf8")), stateFile);
  expect(state.faults).toHaveLength(8);
  expect(readFileSync(truthFile, "utf8").trimEnd().split("\n")).toHaveLength(8);
});

test("a state that cannot be written ends the run with the file's name", async () => {
  const clock = new SimulatedClock(START_US);
  const stateFile = join(tmpdir(), "sluice-there-is-no-such-folder", "plant.json");
  const run = new PlantRunner(runOf({ clock, publisher: publisherOf(), stateFile })).run();
  await expect(run).rejects.toMatchObject({
    code: "simulator.state_unwritable",
    message: `cannot write ${stateFile}`,
  });
});
