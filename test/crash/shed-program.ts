// A buffer at its disk budget in a process of its own, to be killed. Argument: the folder. A line for each piece of work.
import { writeSync } from "node:fs";
import { openShedSite, shedStep } from "./shed-parts.ts";

const site = openShedSite(process.argv[2] ?? "");
for (;;) {
  shedStep(site);
  writeSync(1, "step\n");
  site.seal("readings");
  writeSync(1, "seal\n");
  while (site.budget.keep()) writeSync(1, "shed\n");
}
