import { createInterface } from "node:readline";
import { Writable } from "node:stream";

export const SOFTWARE_VERSION = "0.1.0";

/** What only the program's entry may know of its process. */
export const host = {
  argv: process.argv,
  environment: process.env,
  stdout: process.stdout,
  /** Asks for a line that is not shown; without a terminal it reads the line and asks nothing. */
  askSecret: async (question: string): Promise<string> => {
    const terminal = process.stdin.isTTY;
    const output = new Writable({ write: (_chunk, _encoding, written) => written() });
    const lines = createInterface({ input: process.stdin, output, terminal });
    if (terminal) process.stderr.write(question);
    const { value } = await lines[Symbol.asyncIterator]().next();
    lines.close();
    if (terminal) process.stderr.write("\n");
    return typeof value === "string" ? value : "";
  },
  complain: (text: string): void => void process.stderr.write(`${text}\n`),
  exit: (code: number): never => process.exit(code),
  onSignal: (handle: (signal: string) => void): void => {
    process.on("SIGINT", handle);
    process.on("SIGTERM", handle);
    // Whoever started us with a channel, as the demo does, is gone.
    process.on("disconnect", () => handle("disconnect"));
  },
  memoryBytes: (): number => process.memoryUsage.rss(),
};
