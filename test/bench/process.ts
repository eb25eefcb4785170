import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export const root = join(import.meta.dirname, "../..");

/** Runs a program to its end and gives its last line of JSON. */
export function runJson(args: readonly string[]): Promise<Record<string, number>> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
    let printed = "";
    child.stdout.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
    child.once("exit", (code) => {
      if (code === 0)
        resolve(JSON.parse(printed.trim().split("\n").at(-1) ?? "{}") as Record<string, number>);
      else reject(new Error(`${args[0] ?? ""} ended with ${code}\n${printed}`));
    });
  });
}

/** Starts a server and waits for its first line; `stop` ends it. */
export function startServer(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly line: string; readonly child: ChildProcess; stop(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    let printed = "";
    const stop = (): Promise<void> =>
      new Promise((done) => {
        if (child.exitCode !== null) return done();
        child.once("exit", () => done());
        child.kill("SIGTERM");
      });
    const look = (chunk: Buffer): void => {
      printed += chunk.toString();
      const end = printed.indexOf("\n");
      if (end >= 0) resolve({ line: printed.slice(0, end), child, stop });
    };
    child.stdout.on("data", look);
    child.stderr.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${command} ended with ${code}: ${printed}`)));
  });
}

/** Waits until somebody listens on the port of this machine, half a minute at the most. */
export async function waitForPort(port: number): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect({ host: "127.0.0.1", port });
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
      socket.once("close", () => socket.destroy());
      socket.once("connect", () => socket.end());
    });
    if (open) return;
    await delay(100);
  }
  throw new Error(`nobody listens on port ${port}`);
}
