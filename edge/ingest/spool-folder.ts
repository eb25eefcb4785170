import { mkdir, readdir, readFile, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { isSpoolJob, type SpoolPlace } from "@sluice/shared/contract/spool-topic.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { syncFolder, writeSynced } from "@sluice/shared/runtime/synced-file.ts";

const FILE = /^(\d{12})\.message$/;
const DIGITS = 12;

/** The spool's name in the buffer's folder. */
export const SPOOL_DIR = "spool";

/** Most messages that wait in the folder: with at most 256 KiB each, 16 MiB that the disk budget does not count. */
export const SPOOLED_MESSAGES_MAX = 64;

/** How messages are kept at rest: bound to their place, and encrypted where the buffer is. */
export interface Sealing {
  seal(place: string, bytes: Uint8Array): Uint8Array;
  /** Throws where the bytes are not what was sealed for this place. */
  open(place: string, bytes: Uint8Array): Uint8Array;
}

/**
 * A folder by which commands hand messages to the gateway, whether it runs or not: one folder per job, one file per
 * message. A file is there whole or not at all, and is removed when its message is durable in the buffer.
 */
export class SpoolFolder {
  readonly #dir: string;
  readonly #sealing: Sealing;

  constructor(dir: string, sealing: Sealing) {
    this.#dir = dir;
    this.#sealing = sealing;
  }

  /** Durable when it resolves. Writing what is there already, or was taken before, does no harm. */
  async write(place: SpoolPlace, bytes: Uint8Array): Promise<void> {
    const folder = join(this.#dir, place.job);
    const path = this.#path(place);
    try {
      await writeDraft(folder, `${path}.draft`, this.#sealing.seal(sealedAs(place), bytes));
      await rename(`${path}.draft`, path);
      await syncJob(folder);
      await syncFolder(this.#dir);
    } catch (cause) {
      throw new PipelineError("spool.unwritable", `cannot write ${path}`, {
        cause,
        hint: "Run the command as the gateway's user, with room on the disk.",
      });
    }
  }

  /** What waits, job by job, in order within each and without a gap that only the looking made. */
  async list(): Promise<readonly SpoolPlace[]> {
    const jobs = (await namesIn(this.#dir)).filter(isSpoolJob);
    const places = await Promise.all(
      jobs.map(async (job) => {
        const numbers = await numbersIn(join(this.#dir, job));
        return numbers.map((number) => ({ job, number }));
      }),
    );
    return places.flat();
  }

  async read(place: SpoolPlace): Promise<Uint8Array> {
    return this.#sealing.open(sealedAs(place), await readFile(this.#path(place)));
  }

  /** Renames a message that cannot be read, so that those behind it are taken; returns its new path. */
  async setAside(place: SpoolPlace): Promise<string> {
    const path = `${this.#path(place)}.damaged`;
    await rename(this.#path(place), path);
    return path;
  }

  /** Removes a message, and its job's folder with the last one. */
  async remove(place: SpoolPlace): Promise<void> {
    await rm(this.#path(place), { force: true });
    await removeIfEmpty(join(this.#dir, place.job));
  }

  #path({ job, number }: SpoolPlace): string {
    return join(this.#dir, job, `${String(number).padStart(DIGITS, "0")}.message`);
  }
}

const sealedAs = ({ job, number }: SpoolPlace): string => `spool ${job} ${number}`;

/** The taker removes a job's folder when it is empty: where it does so just now, the folder is made once more. */
async function writeDraft(folder: string, path: string, bytes: Uint8Array, isAgain = false): Promise<void> {
  await mkdir(folder, { recursive: true });
  await rm(path, { force: true });
  try {
    await writeSynced(path, bytes);
  } catch (error) {
    if (isAgain || codeOf(error) !== "ENOENT") throw error;
    await writeDraft(folder, path, bytes, true);
  }
}

/** A folder that is gone has been emptied: its messages are durable in the buffer. */
async function syncJob(folder: string): Promise<void> {
  try {
    await syncFolder(folder);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** Only where it is empty at that very moment: a message may be put into it meanwhile. */
async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes(codeOf(error))) throw error;
  }
}

/**
 * The numbers of the messages in a job's folder, in order.
 *
 * A folder that is written to while it is read may show a file and not the one that was made before it, which would
 * then be taken for one that comes again. What the first look shows the second has without a gap.
 */
async function numbersIn(folder: string): Promise<readonly number[]> {
  const seen = await numbersAt(folder);
  const newest = seen.at(-1);
  if (newest === undefined) return [];
  return (await numbersAt(folder)).filter((number) => number <= newest);
}

async function numbersAt(folder: string): Promise<readonly number[]> {
  const names = await namesIn(folder);
  const numbers = names.flatMap((name) => {
    const number = FILE.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
  return numbers.sort((a, b) => a - b);
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return (await readdir(dir)).sort();
  } catch (cause) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(cause))) return [];
    throw cause;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
