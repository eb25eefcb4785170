// `npm run recorded [-- skab | bearings | parity …] [--json]`: what recorded data of real machines shows. SLUICE_DATA
// names the folder of the data.
import { join } from "node:path";
import { describeError } from "@sluice/shared/runtime/errors.ts";
import { proveBearings, renderBearings } from "./bearings.ts";
import type { Check } from "./checks.ts";
import { cwruFolder, hasCwru } from "./cwru-files.ts";
import { gasTurbineFolder, hasGasTurbine } from "./gas-turbine-recording.ts";
import { proveAllParity, renderParity } from "./parity-recordings.ts";
import { killAll } from "./programs.ts";
import { hasSkab, proveSkab, renderSkab } from "./skab.ts";
import { skabFolder } from "./skab-files.ts";

/** What a proof found, for a machine and for a person. */
interface Proved {
  readonly result: { readonly checks: readonly Check[] };
  readonly text: string;
}

interface Proof {
  readonly name: string;
  /** The folders that it cannot do without, which are not there. */
  readonly missing: readonly string[];
  prove(say: (text: string) => void): Promise<Proved>;
}

const dataDir = process.env["SLUICE_DATA"] ?? join(import.meta.dirname, "../../../shared/data");
const skab = hasSkab(dataDir) ? [] : [skabFolder(dataDir)];
const cwru = hasCwru(dataDir) ? [] : [cwruFolder(dataDir)];
const gasTurbine = hasGasTurbine(dataDir) ? [] : [gasTurbineFolder(dataDir)];

const PROOFS: readonly Proof[] = [
  {
    name: "skab",
    missing: skab,
    async prove(say) {
      const result = await proveSkab(dataDir, say);
      return { result, text: renderSkab(result) };
    },
  },
  {
    name: "bearings",
    missing: cwru,
    prove(say) {
      const result = proveBearings(dataDir, say);
      return Promise.resolve({ result, text: renderBearings(result) });
    },
  },
  {
    name: "parity",
    missing: [...skab, ...cwru, ...gasTurbine],
    prove(say) {
      const result = proveAllParity(dataDir, say);
      return Promise.resolve({ result, text: renderParity(result) });
    },
  },
];

const args = process.argv.slice(2);
const names = PROOFS.map(({ name }) => name);
const unknown = args.filter((arg) => arg !== "--json" && !names.includes(arg));
if (unknown.length > 0) {
  console.error(`no such option: ${unknown.join(" ")}; there are ${names.join(", ")} and --json`);
  process.exit(2);
}
const json = args.includes("--json");
const chosen = PROOFS.filter(({ name }) => args.includes(name) || args.every((arg) => arg === "--json"));

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    killAll();
    process.exit(1);
  });

/** 0: every check holds, or its data is not there; 1: one does not, which is named. */
async function proveChosen(): Promise<number> {
  const skipped = chosen.filter(({ missing }) => missing.length > 0);
  for (const { name, missing } of skipped)
    console.error(
      `SKIPPED: ${name}: nothing was proved on recorded data: there is no ${missing.join(", ")}.`,
    );
  if (skipped.length > 0)
    console.error(
      "Set SLUICE_DATA to a folder with skab/ (https://github.com/waico/SKAB), cwru/ (https://github.com/srigas/CWRU_Bearing_NumPy, as .f32 with a manifest.json) and gas-turbine/ (UCI 551, gt_<year>.csv).",
    );
  const results: Record<string, unknown> = {};
  let failed = 0;
  for (const proof of chosen.filter(({ missing }) => missing.length === 0)) {
    const { result, text } = await proof.prove((said) => console.error(said));
    results[proof.name] = result;
    if (!json) console.log(`${text}\n`);
    for (const check of result.checks.filter(({ held }) => !held)) {
      console.error(`FAILED: ${check.name}`);
      failed += 1;
    }
  }
  if (skipped.length > 0) results["skipped"] = skipped.map(({ name }) => name);
  if (json) console.log(JSON.stringify(results, undefined, 2));
  return failed === 0 ? 0 : 1;
}

async function prove(): Promise<number> {
  try {
    return await proveChosen();
  } catch (error) {
    console.error(`FAILED: ${describeError(error)}`);
    return 1;
  } finally {
    killAll();
  }
}

process.exit(await prove());
