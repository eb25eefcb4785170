import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes a file so that after a crash it is either the old one or the new one, whole. */
export async function writeAtomically(path: string, text: string): Promise<void> {
  const unfinished = `${path}.unfinished`;
  try {
    const file = await open(unfinished, "w");
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
    const folder = await open(dirname(path), "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (cause) {
    throw new PipelineError("simulator.state_unwritable", `cannot write ${path}`, {
      cause,
      hint: "Give a file in a folder that is there and may be written to.",
    });
  }
}

/**
 * Reads a JSON file; undefined where there is none.
 *
 * Throws PipelineError "simulator.state_unreadable" where it is there and cannot be read or is not JSON.
 */
export async function readJsonFile(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw unreadable(path, cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): PipelineError {
  return new PipelineError("simulator.state_unreadable", `cannot read ${path}`, {
    cause,
    hint: "Give the file that an earlier run wrote, or remove it to begin afresh.",
  });
}
