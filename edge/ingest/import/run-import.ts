import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename } from "node:path";
import { finished } from "node:stream/promises";
import { encodeSpooled } from "@sluice/shared/contract/spool.ts";
import type { SpoolPlace } from "@sluice/shared/contract/spool-topic.ts";
import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { SPOOLED_MESSAGES_MAX, type SpoolFolder } from "../spool-folder.ts";
import { type Chunk, cutChunks } from "./chunks.ts";
import { type MappingOptions, planMapping, type RowMapping } from "./mapping.ts";
import { openTable, unreadable } from "./table-file.ts";

export interface ImportOptions extends MappingOptions {
  readonly deviceType: string;
  readonly delimiter: string;
}

export interface ImportParts {
  readonly spool: SpoolFolder;
  readonly clock: Clock;
  /** Called now and then with the rows that were handed over so far. */
  readonly progress: (rows: number) => void;
  /** Called once when the spool is full and nobody empties it. */
  readonly waiting: () => void;
  readonly signal: AbortSignal;
}

export interface ImportResult {
  /** What the import is known by: the same file read in the same way is the same job, and counts once. */
  readonly job: string;
  readonly rows: number;
  /** Rows with more or fewer fields than the file has columns; the gateway puts them into quarantine. */
  readonly malformedRows: number;
  readonly messages: number;
}

const POLL_MS = 100;

/** How long a full spool stays full before it is said that nobody empties it. */
const PATIENCE_MS = 3_000;

const JOB_DIGITS = 32;

/**
 * Hands the rows of a file to the gateway through the spool, chunk by chunk, never more than the spool may hold.
 *
 * Interrupted and begun again, it hands over the same chunks under the same names, and those that were taken before
 * count once. Throws PipelineError "import.unreadable", "import.mapping", "spool.unwritable"; where the first row does not
 * fit the names of the columns, it is the mapping that is wrong, and nothing is handed over.
 */
export async function runImport(
  path: string,
  options: ImportOptions,
  parts: ImportParts,
): Promise<ImportResult> {
  const table = await openTable(path, options);
  const map = planMapping(table.columns, options);
  const job = await jobOf(path, options);
  let rows = 0;
  let messages = 0;
  const read = { rows: 0, malformedRows: 0 };
  try {
    for await (const chunk of cutChunks(mapped(table.rows, map, read))) {
      if (!(await roomInSpool(parts))) break;
      await parts.spool.write({ job, number: chunk.number }, messageOf(chunk, path, options.deviceType));
      rows += chunk.rows;
      messages += 1;
      parts.progress(rows);
    }
  } catch (cause) {
    throw cause instanceof PipelineError ? cause : unreadable(path, cause);
  }
  return { job, rows, malformedRows: read.malformedRows, messages };
}

/** Resolves when the gateway has taken all messages of a job, or the signal says stop. */
export async function taken(job: string, { spool, clock, signal }: ImportParts): Promise<void> {
  while (!signal.aborted && (await spool.list()).some((place: SpoolPlace) => place.job === job))
    await clock.sleep(POLL_MS, signal);
}

async function* mapped(
  rows: AsyncIterable<readonly unknown[]>,
  map: RowMapping,
  read: { rows: number; malformedRows: number },
): AsyncGenerator<ReturnType<RowMapping>> {
  for await (const row of rows) {
    const one = map(row);
    if ("malformed" in one) {
      if (read.rows === 0) throw misfit(one.malformed);
      read.malformedRows += 1;
    }
    read.rows += 1;
    yield one;
  }
}

const misfit = (what: string): PipelineError =>
  new PipelineError("import.mapping", `the first row has ${what} as the line with the names of the columns`, {
    hint: "Name each column in the file's first line, and see --delimiter.",
  });

/** Waits for room; false when the signal says stop. */
async function roomInSpool({ spool, clock, waiting, signal }: ImportParts): Promise<boolean> {
  const startedUs = clock.monotonicUs();
  let isSaid = false;
  while (!signal.aborted) {
    if ((await spool.list()).length < SPOOLED_MESSAGES_MAX) return true;
    if (!isSaid && clock.monotonicUs() - startedUs > PATIENCE_MS * 1_000) {
      isSaid = true;
      waiting();
    }
    await clock.sleep(POLL_MS, signal);
  }
  return false;
}

function messageOf({ body, firstRow, isLast }: Chunk, path: string, deviceType: string): Uint8Array {
  const source = basename(path).slice(0, 255);
  return encodeSpooled({ kind: "rows", deviceType, source, firstRow, isLast }, body);
}

/** Follows from the file's bytes and from how it is read. */
async function jobOf(path: string, options: ImportOptions): Promise<string> {
  const hash = createHash("sha256").update(canonicalJson({ ...options }));
  try {
    await finished(createReadStream(path).on("data", (chunk) => hash.update(chunk)));
  } catch (cause) {
    throw unreadable(path, cause);
  }
  return hash.digest("hex").slice(0, JOB_DIGITS);
}
