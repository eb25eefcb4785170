import { renameSync } from "node:fs";
import { basename } from "node:path";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Bodies } from "../body.ts";
import { letShrink } from "../file-space.ts";
import { openSqlite, type SqliteFile, sqliteError } from "../sqlite-file.ts";
import { type BufferFiles, endOf, listBufferFiles, type SegmentFile } from "./buffer-files.ts";
import { examineSegment, examineState } from "./examine.ts";
import {
  mendedPath,
  type OffsetRange,
  putInPlace,
  removeDatabase,
  repairedPath,
  salvageSegment,
} from "./salvage.ts";
import { SqliteImage } from "./sqlite-image.ts";
import { SqliteTrees } from "./sqlite-tree.ts";
import { readState } from "./state-rows.ts";

/** What was done about one damaged file. */
export interface Repair {
  readonly file: string;
  /** The whole file that was written; undefined where nothing could be saved. */
  readonly repaired: string | undefined;
  /** Where the damaged file is now, if the repaired one took its place. */
  readonly aside: string | undefined;
  readonly savedRows: number;
  readonly savedMessages: number;
  /** Message offsets [from, end) that could not be saved; of a state, offsets or row numbers of rows, with their stream. */
  readonly lost: readonly (OffsetRange & { readonly what: string })[];
  readonly problems: readonly string[];
  /** Why it was not put in place although that was asked for. */
  readonly kept: string | undefined;
}

export interface RepairOptions {
  readonly bodies: Bodies;
  /** Puts repaired files in place; the gateway must be stopped, and the buffer locked. */
  readonly replace: boolean;
  /** Names of files to repair; all that are damaged where none are given. Those set aside are only repaired by name. */
  readonly only: readonly string[];
}

/**
 * Writes a whole file beside each damaged one, with every row that is whole. The damaged file is only read.
 *
 * Throws PipelineError "config.buffer_file" for a name that is not there, and what writing throws.
 */
export function repairBuffer(dir: string, options: RepairOptions): readonly Repair[] {
  const files = listBufferFiles(dir);
  const { only } = options;
  const all = [
    ...[...files.segments, ...files.asideSegments].map(({ path }) => path),
    ...files.states,
    ...files.asideStates,
  ];
  const unknown = only.filter((name) => !all.some((path) => basename(path) === basename(name)));
  if (unknown.length > 0)
    throw new PipelineError("config.buffer_file", `${dir} holds no ${unknown.join(", ")}`, {
      hint: "sluice-gateway buffer inspect lists its files.",
    });
  const isWanted = (path: string): boolean => only.some((name) => basename(name) === basename(path));
  const segments = [...files.segments, ...files.asideSegments];
  return [
    ...segments
      .filter(
        (file) =>
          isWanted(file.path) || (only.length === 0 && !file.isAside && isDamaged(files, file, options)),
      )
      .map((file) => repairSegment(files, file, options)),
    ...[...files.states, ...files.asideStates]
      .filter(
        (path) =>
          isWanted(path) ||
          (only.length === 0 && files.states.includes(path) && isStateDamaged(path, options)),
      )
      .map((path) => repairState(path, options)),
  ];
}

const isDamaged = (files: BufferFiles, file: SegmentFile, { bodies }: RepairOptions): boolean =>
  examineSegment(files, file, bodies).problemCount > 0;

const isStateDamaged = (path: string, { bodies }: RepairOptions): boolean =>
  examineState(path, bodies).problemCount > 0;

function repairSegment(files: BufferFiles, file: SegmentFile, { replace }: RepairOptions): Repair {
  const { path, firstOffset, isAside } = file;
  const isForPlace = replace && !isAside;
  const salvaged = salvageSegment(path, {
    firstOffset,
    endOffset: isAside ? undefined : endOf(files, file),
    target: isForPlace ? mendedPath(path) : repairedPath(path),
  });
  const common = {
    file: path,
    savedRows: salvaged.groups,
    savedMessages: salvaged.messages,
    lost: salvaged.lost.map((range) => ({ ...range, what: "messages" })),
    problems: salvaged.problems,
  };
  const isNothing = salvaged.groups === 0;
  if (isNothing) removeDatabase(salvaged.path);
  const kept = isNothing ? "nothing could be saved from it" : isAside ? "it was set aside before" : undefined;
  if (!replace || kept !== undefined)
    return {
      ...common,
      repaired: isNothing ? undefined : salvaged.path,
      aside: undefined,
      kept: replace ? kept : undefined,
    };
  return { ...common, repaired: path, aside: putInPlace(path), kept: undefined };
}

/**
 * A state is put in place only where nothing of it is lost. With rows missing, its ranges in the lake would have holes
 * for good; the gateway does better by itself: it sets the file aside and derives everything anew from the messages.
 * Marks with one missing say nothing. Quarantined messages stand each for itself: what is left of them is put in place.
 */
function repairState(path: string, { bodies, replace }: RepairOptions): Repair {
  const target = replace ? mendedPath(path) : repairedPath(path);
  removeDatabase(target);
  const image = new SqliteImage(path);
  let file: SqliteFile | undefined;
  try {
    file = openSqlite(target);
    letShrink(file);
    const { tables, isComplete } = writeSchema(image, file);
    const { savedRows, lost, problems, isWhole } = copyRows(image, { file, tables, bodies });
    file.close();
    const common = { file: path, savedRows, savedMessages: 0, lost, problems };
    const isNothing = savedRows === 0;
    const kept = isNothing
      ? "nothing could be saved from it"
      : basename(path).includes(".damaged")
        ? "it was set aside before"
        : isComplete && isWhole
          ? undefined
          : whyKept(path);
    if (isNothing) removeDatabase(target);
    if (replace && kept === undefined) return { ...common, repaired: path, aside: putInPlace(path), kept };
    if (replace && !isNothing) renameSync(target, repairedPath(path));
    return {
      ...common,
      repaired: isNothing ? undefined : repairedPath(path),
      aside: undefined,
      kept: replace ? kept : undefined,
    };
  } catch (cause) {
    file?.close();
    removeDatabase(target);
    throw sqliteError(cause, `cannot write ${target}`);
  } finally {
    image.close();
  }
}

/** Why a file with rows missing is not put in place; undefined where it is all the same. */
function whyKept(path: string): string | undefined {
  if (basename(path) === "quarantine.db") return undefined;
  return basename(path) === "marks.db"
    ? "some of it is lost: the gateway begins it anew"
    : "some of it is lost: the gateway begins a new epoch from the messages";
}

/** Makes the tables and indexes that the damaged file says it has. */
function writeSchema(
  image: SqliteImage,
  file: SqliteFile,
): { readonly tables: ReadonlySet<string>; readonly isComplete: boolean } {
  const tables = new Set<string>();
  let isComplete = true;
  const trees = new SqliteTrees(image, () => (isComplete = false));
  for (const { values } of trees.rows(1)) {
    const [type, name, , , sql] = values;
    // SQLite makes its own tables and indexes, with names of its own.
    if (typeof sql !== "string" || String(name).startsWith("sqlite_")) continue;
    try {
      file.exec(sql);
      if (type === "table") tables.add(String(name));
    } catch {
      isComplete = false;
    }
  }
  return { tables, isComplete: isComplete && tables.size > 0 };
}

function copyRows(
  image: SqliteImage,
  { file, tables, bodies }: { file: SqliteFile; tables: ReadonlySet<string>; bodies: Bodies },
): Pick<Repair, "savedRows" | "lost" | "problems"> & { readonly isWhole: boolean } {
  let savedRows = 0;
  let refused = 0;
  const { problems, lost, isComplete } = file.transaction(() =>
    readState(image, bodies, ({ table, values }) => {
      if (!tables.has(table)) return;
      try {
        file.prepare(`INSERT INTO ${table} VALUES (${values.map(() => "?").join(", ")})`).run(...values);
        savedRows++;
      } catch {
        refused++; // Twice the same key, or a column that is missing: one of the two is not true.
      }
    }),
  )();
  return {
    savedRows,
    lost: lost.map(({ what, stream, from, through }) => ({
      from,
      end: through + 1,
      what: `${what} ${stream}`,
    })),
    problems: problems.named,
    isWhole: isComplete && refused === 0,
  };
}
