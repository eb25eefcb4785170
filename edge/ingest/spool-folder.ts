import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isSpoolJob, type SpoolPlace } from "@sluice/shared/contract/spool.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { syncFolder, writeSynced } from "@sluice/shared/runtime/synced-file.ts";

const FILE = /^(\d{12})\.message$/;
const DIGITS = 12;

/** The spool's name in the buffer's folder. */
export const SPOOL_DIR = "spool";

/** Most messages that wait in the folder: with at most 256 KiB each, 16 MiB that the disk budget does not count. */
export const SPOOLED_MESSAGES_MAX = 64;

/**
 * A folder by which commands hand messages to the gateway, whether it runs or not: one folder per job, one file per
 * message. A file is there whole or not at all, and is removed when its message is durable in the buffer.
 */
export class SpoolFolder {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Durable when it resolves. Writing what is there already, or was taken before, does no harm. */
  async write({ job, number }: SpoolPlace, bytes: Uint8Array): Promise<void> {
    const folder = join(this.#dir, job);
    const path = join(folder, `${String(number).padStart(DIGITS, "0")}.message`);
    try {
      await mkdir(folder, { recursive: true });
      await rm(`${path}.draft`, { force: true });
      await writeSynced(`${path}.draft`, bytes);
      await rename(`${path}.draft`, path);
      await syncFolder(folder);
      await syncFolder(this.#dir);
    } catch (cause) {
      throw new PipelineError("spool.unwritable", `cannot write ${path}`, {
        cause,
        hint: "Run the command as the gateway's user, with room on the disk.",
      });
    }
  }

  /** What waits, job by job, in order within each. */
  async list(): Promise<readonly SpoolPlace[]> {
    const jobs = await namesIn(this.#dir);
    const places = await Promise.all(
      jobs.filter(isSpoolJob).map(async (job) => {
        const names = await namesIn(join(this.#dir, job));
        return names.flatMap((name) => {
          const number = FILE.exec(name)?.[1];
          return number === undefined ? [] : [{ job, number: Number(number) }];
        });
      }),
    );
    return places.map((ofJob) => ofJob.sort((a, b) => a.number - b.number)).flat();
  }

  read(place: SpoolPlace): Promise<Uint8Array> {
    return readFile(this.#path(place));
  }

  /** Removes a message, and its job's folder with the last one. */
  async remove(place: SpoolPlace): Promise<void> {
    await rm(this.#path(place), { force: true });
    const folder = join(this.#dir, place.job);
    if ((await namesIn(folder)).length === 0) await rm(folder, { recursive: true, force: true });
  }

  #path({ job, number }: SpoolPlace): string {
    return join(this.#dir, job, `${String(number).padStart(DIGITS, "0")}.message`);
  }
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).sort();
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR"))
      return [];
    throw cause;
  }
}
