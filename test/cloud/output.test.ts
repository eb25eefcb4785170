import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPair } from "@sluice/shared/codec/signature.ts";
import { expect, onTestFinished, test } from "vitest";

const MAIN = join(import.meta.dirname, "../../cloud/main.ts");
const ROWS = 200_000;

/** Asks an empty lake for many rows; nobody has read anything of the answer yet. */
async function askForManyRows() {
  const dir = await mkdtemp(join(tmpdir(), "sluice-output-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const { publicKeyPem, privateKeyPem } = generateKeyPair();
  await mkdir(join(dir, "lake"));
  await writeFile(join(dir, "signing.key"), privateKeyPem);
  await writeFile(join(dir, "signing.pub"), publicKeyPem);
  await writeFile(
    join(dir, "cloud.yaml"),
    JSON.stringify({
      lake: { kind: "folder", path: "lake" },
      tables: { cacheDir: "cache" },
      keys: { privateKey: "signing.key", publicKeys: ["signing.pub"] },
    }),
  );
  const query = `select range as n from range(${ROWS})`;
  const child = spawn(
    process.execPath,
    [MAIN, "sql", query, "--config", join(dir, "cloud.yaml"), "--format", "csv"],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

test("an answer that is longer than a pipe holds arrives whole", async () => {
  const child = await askForManyRows();
  const closed = once(child, "close");
  let lines = 0;
  let last = "";
  for await (const chunk of child.stdout.setEncoding("utf8")) {
    const parts = `${last}${String(chunk)}`.split("\n");
    last = parts.pop() ?? "";
    lines += parts.length;
  }
  expect(await closed).toEqual([0, null]);
  expect([lines, last]).toEqual([ROWS + 1, ""]);
});

test("a reader that goes away early ends the program with one line and no stack trace", async () => {
  const child = await askForManyRows();
  const closed = once(child, "close");
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint += text));
  await once(child.stdout, "readable");
  child.stdout.destroy();
  expect(await closed).toEqual([1, null]);
  expect(complaint).toBe("sluice-cloud: not all could be printed: write EPIPE\n");
});
