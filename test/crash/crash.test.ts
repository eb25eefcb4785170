// Goal: what is acknowledged survives kills and power cuts, and the suite that says so can tell when it does not.
// Method: a few kills of a few scenarios of `npm run crash`, each with real gateways, from one seed; and the controls,
// in which durability is broken on purpose.
import { present } from "@sluice/shared/runtime/assert.ts";
import { afterAll, expect, test } from "vitest";
import { killAll } from "./programs.ts";
import { lineOf } from "./report.ts";
import { planTrials, runSuite } from "./run-suite.ts";
import { SCENARIOS } from "./scenarios.ts";

const SEED = 20_270_121;
const KILLS = 2;

afterAll(killAll);

const named = (name: string) =>
  present(
    SCENARIOS.find((scenario) => scenario.name === name),
    `there is a scenario "${name}"`,
  );

async function runOne(name: string, kills = KILLS) {
  const scenario = named(name);
  const options = { scenarios: [scenario], kills, seed: SEED, jobs: 1, say: () => undefined };
  const [result] = await runSuite(options, planTrials(options));
  return present(result, "a scenario has a result");
}

test.concurrent.each([
  "embedded broker, QoS 2",
  "inside a commit of raw messages",
  "power cut, torn write-ahead log",
  "disk turns read-only",
  "failing syncs, then a power cut",
])("%s: everything that was acknowledged is in the lake's table once", { timeout: 120_000 }, async (name) => {
  const result = await runOne(name);
  if (result.skipped !== undefined) {
    console.warn(`SKIPPED ${name}: ${result.skipped}`);
    return;
  }
  expect(result.trials.flatMap(({ failures }) => failures)).toEqual([]);
  const line = lineOf(result);
  expect(line).toMatchObject({ lost: 0, duplicated: 0, verdict: "ok" });
  expect(line.kills).toBeGreaterThanOrEqual(KILLS);
  expect(line.acknowledged).toBeGreaterThan(0);
});

// That a kill falls between an early acknowledgement and its commit is likely, not certain: so there are more of them.
test.concurrent.each([
  { name: "control: synchronous=NORMAL and a power cut", kills: 1 },
  { name: "control: acknowledged before the commit", kills: 4 },
])("$name: the suite reports what is lost", { timeout: 120_000 }, async ({ name, kills }) => {
  const result = await runOne(name, kills);
  if (result.skipped !== undefined) {
    console.warn(`SKIPPED ${name}: ${result.skipped}`);
    return;
  }
  expect(result.trials.flatMap(({ failures }) => failures)).toEqual([]);
  expect(lineOf(result).lost).toBeGreaterThan(0);
});
