import { open, readFile, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { syncFolder } from "@sluice/shared/runtime/synced-file.ts";
import { LOCK_FILE } from "./lock.ts";
import { sqliteError } from "./sqlite-file.ts";

/** What a disk that cannot be written to answers with: it may pass, and no file is damaged by it. */
const FAILURES: ReadonlySet<string> = new Set(["buffer.disk_failing", "buffer.unwritable"]);

/** Bytes that are written to see whether the disk takes them: a page. */
const PROBE_BYTES = 4_096;

/**
 * The failure of the disk that an error tells of; undefined where it tells of something else.
 *
 * After it nothing that this process has written and not synced can be relied on: Linux reports a failed write once and
 * then takes the pages for written, so a later sync that succeeds proves nothing about them (fsync(2), errors). Whoever
 * sees it opens the files anew.
 */
export function diskFailure(error: unknown): PipelineError | undefined {
  const failure = sqliteError(error, "the buffer cannot be used");
  return FAILURES.has(failure.code) ? failure : undefined;
}

/** Tries whether the disk of a buffer that is locked can be written to: a new file, synced. Why not, or undefined. */
export async function probeDisk(dir: string): Promise<PipelineError | undefined> {
  const path = join(dir, "probe");
  try {
    // With its disk unmounted the folder may still be there, and empty: a buffer must not begin anew in it.
    await stat(join(dir, LOCK_FILE));
    const bytes = Buffer.alloc(PROBE_BYTES, 1);
    const file = await open(path, "w");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    if (!bytes.equals(await readFile(path))) throw new Error("what was written is not what is read");
    await unlink(path);
    await syncFolder(dir);
    return undefined;
  } catch (cause) {
    return sqliteError(cause, `cannot write to ${dir}`);
  }
}
