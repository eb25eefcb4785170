import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { assert } from "@sluice/shared/runtime/assert.ts";

const PROGRAM = fileURLToPath(new URL("./pipeline-program.ts", import.meta.url));

export interface Publishing {
  readonly dir: string;
  /** The first message to publish, and how many of the first ones are redeliveries. */
  readonly first: number;
  readonly resent: number;
}

/** Lets the program publish until it has acknowledged so many messages, kills it; the last one acknowledged. */
export async function killProgram(publishing: Publishing, acknowledgements: number): Promise<number> {
  const { dir, first, resent } = publishing;
  const program = spawn(process.execPath, [PROGRAM, dir, String(first), String(resent)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(program, "close");
  let out = "";
  let failure = "";
  let lines = 0;
  program.stderr.setEncoding("utf8").on("data", (text: string) => (failure += text));
  program.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    lines += text.split("\n").length - 1;
    if (lines >= acknowledgements) program.kill("SIGKILL");
  });
  const [, signal] = await closed;
  assert(signal === "SIGKILL", `the program runs until it is killed: ${failure}`);
  const acknowledged = out.split("\n").slice(0, -1).map(Number); // What follows the last line end was cut off.
  assert(!acknowledged.some((n, i) => n !== first + i), "messages are acknowledged in order");
  return acknowledged.at(-1) ?? first - 1;
}
