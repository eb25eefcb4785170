import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const runMain = (args: readonly string[], dataDir: string) =>
  spawnSync(process.execPath, [join(import.meta.dirname, "main.ts"), ...args], {
    env: { ...process.env, SLUICE_DATA: dataDir },
    encoding: "utf8",
  });

test("without the recordings nothing is proved, which is said aloud and is no failure", () => {
  const dataDir = join(import.meta.dirname, "nothing-here");
  const { status, stdout, stderr } = runMain(["--json"], dataDir);
  expect(status).toBe(0);
  for (const name of ["skab", "bearings", "parity"])
    expect(stderr).toContain(`SKIPPED: ${name}: nothing was proved on recorded data: there is no ${dataDir}`);
  expect(JSON.parse(stdout)).toEqual({ skipped: ["skab", "bearings", "parity"] });
});

test("an option that does not exist is refused", () => {
  const { status, stderr } = runMain(["--jsno"], "");
  expect(status).toBe(2);
  expect(stderr).toBe("no such option: --jsno; there are skab, bearings, parity and --json\n");
});
