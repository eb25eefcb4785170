import { readFileSync } from "node:fs";

const IO = "/proc/self/io";

/**
 * Bytes that this process has caused to be written to storage since its start, as Linux counts them (proc(5),
 * `write_bytes`): with every page of the write-ahead logs, and again when they are folded into the files. Undefined
 * where the system does not say.
 */
export function readStorageBytes(): number | undefined {
  try {
    return parseWriteBytes(readFileSync(IO, "utf8"));
  } catch {
    return undefined; // Another system, or a container that hides it.
  }
}

export function parseWriteBytes(text: string): number | undefined {
  const digits = /^write_bytes: (\d+)$/m.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
