import { spawnSync } from "node:child_process";
import type { Need, Scenario } from "./scenario.ts";
import { Trial, type TrialResult } from "./trial.ts";

export interface SuiteOptions {
  readonly scenarios: readonly Scenario[];
  readonly kills: number;
  readonly seed: number;
  /** How many trials run at the same time. */
  readonly jobs: number;
  readonly say: (line: string) => void;
}

/** What became of a scenario: its trials, or why there are none. */
export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly trials: readonly TrialResult[];
  readonly skipped: string | undefined;
}

interface PlannedTrial {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly kills: number;
}

/** The trials of a run: each scenario gets its share of the kills, in trials of at most `trialKillsMax`. */
export function planTrials({ scenarios, kills, seed }: SuiteOptions): readonly PlannedTrial[] {
  const shares = scenarios.reduce((sum, { share }) => sum + share, 0);
  return scenarios.flatMap((scenario) => {
    const { share, trialKillsMax, name } = scenario;
    const own = Math.max(1, Math.ceil((kills * share) / shares));
    const trials = Math.ceil(own / trialKillsMax);
    return Array.from({ length: trials }, (_, i) => ({
      scenario,
      seed: trialSeed(seed, `${name} ${i}`),
      kills: Math.ceil((own - i) / trials),
    }));
  });
}

/** A seed of its own for each trial, so that one of them can be run again alone. FNV-1a. */
function trialSeed(seed: number, name: string): number {
  let hash = 2_166_136_261 ^ seed;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16_777_619);
  return (hash >>> 0) % 1_000_000;
}

/** Runs every trial, several at a time. A trial that breaks off is a failure of its scenario. */
export async function runSuite(
  { scenarios, jobs, say }: SuiteOptions,
  planned: readonly PlannedTrial[],
): Promise<readonly ScenarioResult[]> {
  const skipped = new Map(scenarios.map((scenario) => [scenario, missingFor(scenario.needs)]));
  for (const [{ name }, missing] of skipped) if (missing !== undefined) say(`SKIPPED ${name}: ${missing}`);
  const left = planned.filter(({ scenario }) => skipped.get(scenario) === undefined);
  const trials: TrialResult[] = [];
  const work = async (): Promise<void> => {
    for (let planned = left.shift(); planned !== undefined; planned = left.shift()) {
      const result = await runTrial(planned);
      trials.push(result);
      say(line(result, planned.scenario));
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return scenarios.map((scenario) => ({
    scenario,
    trials: trials.filter((trial) => trial.scenario === scenario.name),
    skipped: skipped.get(scenario),
  }));
}

export async function runTrial({ scenario, seed, kills }: PlannedTrial): Promise<TrialResult> {
  const trial = new Trial({ scenario: scenario.name, seed, kills });
  try {
    return await scenario.run(trial);
  } catch (error) {
    trial.failures.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return trial.broken();
  } finally {
    await trial.close();
  }
}

const missing = new Map<Need, string | undefined>();

function missingFor(needs: readonly Need[]): string | undefined {
  for (const need of needs) {
    if (!missing.has(need)) missing.set(need, look(need));
    if (missing.get(need) !== undefined) return missing.get(need);
  }
  return undefined;
}

function look(need: Need): string | undefined {
  const isThere = (command: string, ...args: string[]): boolean =>
    spawnSync(command, args).error === undefined;
  if (need === "cc")
    return isThere(process.env["CC"] ?? "cc", "--version") ? undefined : "no C compiler (cc)";
  if (need === "mosquitto")
    return isThere("mosquitto", "-h") ? undefined : "no mosquitto (Debian package mosquitto)";
  const mounts = process.getuid?.() === 0 && spawnSync("unshare", ["-m", "true"]).status === 0;
  return mounts ? undefined : "no right to mount a small file system";
}

function line(result: TrialResult, { mustLose = false }: Scenario): string {
  const { scenario, seed, kills, acknowledged, lost, duplicated, points, failures, dir } = result;
  const reached = points === undefined ? "" : ` (${points} at the point)`;
  const numbers = `${kills} kills${reached}, ${acknowledged} acknowledged, ${lost} lost, ${duplicated} twice`;
  const verdict =
    failures.length > 0 ? `FAILED, see ${dir ?? ""}\n  ${failures.join("\n  ")}` : "as it must be";
  return `${scenario} (seed ${seed}): ${numbers}${mustLose ? ", where loss must show" : ""}: ${verdict}`;
}
