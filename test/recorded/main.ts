// `npm run recorded [-- --json]`: what recorded data of real machines shows. SLUICE_DATA names the folder of the data.
import { join } from "node:path";
import { describeError } from "@sluice/shared/runtime/errors.ts";
import { killAll } from "./programs.ts";
import { hasSkab, proveSkab, renderSkab } from "./skab.ts";

const args = process.argv.slice(2);
const unknown = args.filter((arg) => arg !== "--json");
if (unknown.length > 0) {
  console.error(`no such option: ${unknown.join(" ")}; there is --json`);
  process.exit(2);
}
const json = args.includes("--json");
const dataDir = process.env["SLUICE_DATA"] ?? join(import.meta.dirname, "../../../shared/data");

for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    killAll();
    process.exit(1);
  });

if (!hasSkab(dataDir)) {
  console.error(
    `SKIPPED: nothing was proved on recorded data: there is no ${join(dataDir, "skab", "data")}.`,
  );
  console.error("Set SLUICE_DATA to a folder whose skab/ is https://github.com/waico/SKAB.");
  if (json) console.log(JSON.stringify({ skipped: ["skab"] }));
  process.exit(0);
}

/** 0: every check holds; 1: one does not, which is named. */
async function prove(): Promise<number> {
  try {
    const result = await proveSkab(dataDir, (text) => console.error(text));
    console.log(json ? JSON.stringify({ skab: result }, undefined, 2) : renderSkab(result));
    const failed = result.checks.filter(({ held }) => !held);
    for (const { name } of failed) console.error(`FAILED: ${name}`);
    return failed.length === 0 ? 0 : 1;
  } catch (error) {
    console.error(`FAILED: ${describeError(error)}`);
    return 1;
  } finally {
    killAll();
  }
}

process.exit(await prove());
