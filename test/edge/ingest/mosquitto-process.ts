import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";

export const isMosquittoInstalled = spawnSync("mosquitto", ["-h"]).error === undefined;

/** A mosquitto on a free loopback port, with its own folder, that can be ended and begun again on the same port. */
export class Mosquitto {
  readonly port: number;
  readonly #conf: string;
  #process: ChildProcess | undefined;

  private constructor(dir: string, port: number, lines: readonly string[]) {
    this.port = port;
    this.#conf = join(dir, "mosquitto.conf");
    const always = ["max_inflight_messages 0", "max_queued_messages 0"];
    writeFileSync(this.#conf, [`listener ${port} 127.0.0.1`, ...always, ...lines, ""].join("\n"));
  }

  static async start(dir: string, lines: readonly string[] = ["allow_anonymous true"]): Promise<Mosquitto> {
    const mosquitto = new Mosquitto(dir, await freePort(), lines);
    await mosquitto.begin();
    return mosquitto;
  }

  /** Resolves when it takes connections. */
  async begin(): Promise<void> {
    const child = spawn("mosquitto", ["-c", this.#conf], { stdio: "ignore" });
    this.#process = child;
    for (let i = 0; i < 500; i++) {
      if (child.exitCode !== null) throw new Error(`mosquitto ended with ${child.exitCode}`);
      if (await isOpen(this.port)) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error("mosquitto does not listen");
  }

  /** Ends it as its service manager does: it writes what it keeps. */
  async end(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    await ended;
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof bound === "object" && bound !== null ? bound.port : 0;
}
