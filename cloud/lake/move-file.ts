import { copyFile, rename, rm } from "node:fs/promises";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/**
 * Gives a file the path that somebody asked for, in place of what was there; it appears whole or not at all.
 *
 * Throws PipelineError "config.out" where that cannot be written.
 */
export async function moveFile(from: string, to: string): Promise<void> {
  const partial = `${to}.partial`;
  try {
    // The two may be on different file systems, where renaming does not work.
    await copyFile(from, partial);
    await rename(partial, to);
    await rm(from);
  } catch (cause) {
    await rm(partial, { force: true });
    throw new PipelineError("config.out", `cannot write ${to}`, {
      cause,
      hint: "Name a file in a folder that is there and that this user may write.",
    });
  }
}
