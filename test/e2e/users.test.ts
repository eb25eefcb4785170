import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseUsers } from "../../edge/ingest/users-file.ts";
import { verifyPassword } from "../../edge/ingest/password.ts";
import { run } from "./programs.ts";

async function usersFile(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-users-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return join(dir, "users");
}

async function fits(file: string, name: string, password: string): Promise<boolean> {
  const hash = parseUsers(await readFile(file, "utf8"), file).get(name);
  return hash !== undefined && verifyPassword(Buffer.from(password), hash);
}

/** The password comes by standard input, as from a pipe. */
function addAsking(
  file: string,
  name: string,
  password: string,
): Promise<{ readonly code: number | null; readonly out: string }> {
  const main = join(import.meta.dirname, "../../edge/main.ts");
  const child = spawn(process.execPath, [main, "users", "add", name, "--file", file, "--ask"]);
  let out = "";
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (out += String(chunk)));
  child.stdin.end(password);
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, out })));
}

test("users are added with a password that is made or asked for, listed, and removed", async () => {
  const file = await usersFile();
  const added = await run("gateway", "users", "add", "pump-1", "--file", file, "--json");
  expect(added).toMatchObject({ code: 0, stderr: "" });
  const { password, ...rest } = JSON.parse(added.stdout) as { password: string };
  expect(rest).toEqual({ user: "pump-1", isNew: true });
  expect(await fits(file, "pump-1", password)).toBe(true);
  expect((await stat(file)).mode & 0o777).toBe(0o600);

  const asked = await addAsking(file, "ada", "correct horse\n");
  expect(asked.code).toBe(0);
  expect(asked.out).not.toContain("correct horse");
  expect(await fits(file, "ada", "correct horse")).toBe(true);

  expect((await run("gateway", "users", "ls", "--file", file)).stdout).toBe("ada\npump-1\n");
  expect((await run("gateway", "users", "ls", "--file", file, "--json")).stdout).toBe(
    '{"users":["ada","pump-1"]}\n',
  );
  expect(await run("gateway", "users", "remove", "ada", "--file", file)).toMatchObject({
    code: 0,
    stdout: "ada: removed\n",
  });
  expect((await run("gateway", "users", "ls", "--file", file)).stdout).toBe("pump-1\n");
}, 90_000);

test("what cannot be done changes nothing and says what to do", async () => {
  const file = await usersFile();
  expect(await run("gateway", "users", "add", "a/b", "--file", file)).toMatchObject({ code: 2, stdout: "" });
  expect((await addAsking(file, "ada", "short")).code).toBe(2);
  expect(await run("gateway", "users", "ls", "--file", file)).toMatchObject({ code: 2 });
  expect(await run("gateway", "users", "add", "ada")).toMatchObject({ code: 2 });
  await writeFile(file, "ada:in the clear\n");
  const malformed = await run("gateway", "users", "add", "bob", "--file", file);
  expect(malformed).toMatchObject({ code: 2, stdout: "" });
  expect(malformed.stderr).toContain("line 1");
  expect(malformed.stderr).not.toContain("in the clear");
  expect(await readFile(file, "utf8")).toBe("ada:in the clear\n");
}, 90_000);

test("users that are added and removed at the same moment are all there, or gone", async () => {
  const file = await usersFile();
  expect((await run("gateway", "users", "add", "old", "--file", file)).code).toBe(0);
  const names = ["a", "b", "c", "d"];
  const outcomes = await Promise.all([
    ...names.map((name) => run("gateway", "users", "add", name, "--file", file)),
    run("gateway", "users", "remove", "old", "--file", file),
  ]);
  expect(outcomes.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
    outcomes.map(() => ({ code: 0, stderr: "" })),
  );
  expect((await run("gateway", "users", "ls", "--file", file)).stdout).toBe("a\nb\nc\nd\n");
}, 90_000);

test("a command that another one keeps from the file changes nothing, and a killed one keeps nobody", async () => {
  const file = await usersFile();
  const lock = new URL("../../edge/buffer/lock.ts", import.meta.url).href;
  const program = `import { lockFile } from ${JSON.stringify(lock)};
    lockFile(process.argv[1], 0);
    process.stdout.write("locked");
    setInterval(() => undefined, 1_000);`;
  const holder = spawn(process.execPath, ["--input-type=module", "-e", program, `${file}.lock`]);
  onTestFinished(() => void holder.kill("SIGKILL"));
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  const refused = await run("gateway", "users", "add", "ada", "--file", file);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain("is being changed by another command");
  expect(existsSync(file)).toBe(false);
  const ended = new Promise((resolve) => holder.once("close", resolve));
  holder.kill("SIGKILL");
  await ended;
  expect((await run("gateway", "users", "add", "ada", "--file", file)).code).toBe(0);
}, 90_000);
