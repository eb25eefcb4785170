// `npm run crash -- [--kills N] [--seed S] [--scenario name]… [--jobs N] [--json] [--docs] [--list]`: gateways that are
// killed again and again, and what was acknowledged, found, lost and doubled. `--trial seed` repeats one trial.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { format, resolveConfig } from "prettier";
import { killAll } from "./programs.ts";
import { lineOf, page, textTable } from "./report.ts";
import { planTrials, runSuite } from "./run-suite.ts";
import { SCENARIOS } from "./scenarios.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    scenario: { type: "string", multiple: true, default: [] },
    trial: { type: "string" },
    jobs: { type: "string", default: "2" },
    json: { type: "boolean", default: false },
    docs: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
  },
});

const isWanted = (name: string): boolean =>
  values.scenario.length === 0 || values.scenario.some((part) => name.includes(part));
const scenarios = SCENARIOS.filter(({ name }) => isWanted(name));
const [kills, seed, jobs] = [Number(values.kills), Number(values.seed), Number(values.jobs)];
if (
  ![kills, seed, jobs].every((number) => Number.isSafeInteger(number) && number > 0) ||
  scenarios.length === 0
) {
  console.error(
    `kills, seed and jobs are whole numbers; the scenarios are:\n  ${SCENARIOS.map(({ name }) => name).join("\n  ")}`,
  );
  process.exit(2);
}
if (values.list) {
  for (const { name, what } of scenarios) console.log(`${name}: ${what}`);
  process.exit(0);
}

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    killAll();
    process.exit(1);
  });

const options = { scenarios, kills, seed, jobs, say: (line: string) => console.error(line) };
const trials =
  values.trial === undefined
    ? planTrials(options)
    : scenarios.map((scenario) => ({ scenario, seed: Number(values.trial), kills }));
const results = await runSuite(options, trials);
killAll();
const lines = results.map(lineOf);
const command = `npm run crash -- --kills ${kills} --seed ${seed}${values.docs ? " --docs" : ""}`;
console.log(values.json ? JSON.stringify({ kills, seed, lines, results }, undefined, 2) : textTable(lines));
if (values.docs) {
  const path = join(import.meta.dirname, "../../docs/crash.md");
  const style = (await resolveConfig(path)) ?? {};
  writeFileSync(path, await format(page(results, command), { ...style, filepath: path }));
}
for (const { scenario, trials } of results)
  for (const trial of trials)
    if (trial.failures.length > 0)
      console.error(
        `FAILED: repeat it with --scenario "${scenario.name}" --trial ${trial.seed} --kills ${trial.wanted}`,
      );
process.exit(lines.some(({ verdict }) => verdict === "failed") ? 1 : 0);
