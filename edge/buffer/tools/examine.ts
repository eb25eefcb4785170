import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Bodies } from "../body.ts";
import { isEncrypted } from "../cipher.ts";
import { messagesOf } from "../segment.ts";
import { type BufferFiles, endOf, listBufferFiles, type SegmentFile } from "./buffer-files.ts";
import { gaps, type OffsetRange } from "./salvage.ts";
import { Problems, readSegment } from "./segment-rows.ts";
import { SqliteImage } from "./sqlite-image.ts";
import { type LostRows, readState, type StateRow } from "./state-rows.ts";

/** What a segment holds and what of it is not whole. */
export interface SegmentFacts {
  readonly file: string;
  readonly isAside: boolean;
  readonly firstOffset: number;
  /** The offset after the last message that is whole. */
  readonly endOffset: number;
  readonly groups: number;
  readonly messages: number;
  readonly bytes: number;
  readonly encryptedGroups: number;
  /** When the first and the last group was written, in microseconds since the epoch; undefined where there is none. */
  readonly firstAtUs: number | undefined;
  readonly lastAtUs: number | undefined;
  /** Starts of the process that wrote into it. */
  readonly boots: number;
  readonly lost: readonly OffsetRange[];
  readonly problems: readonly string[];
  readonly problemCount: number;
}

interface StreamAmount {
  readonly chunks: number;
  readonly rows: number;
  readonly bytes: number;
}

/** What a state file, the marks or the quarantine hold and what of it is not whole. */
export interface StateFacts {
  readonly file: string;
  readonly isAside: boolean;
  readonly marks: Readonly<Record<string, string | number>>;
  readonly counters: Readonly<Record<string, number>>;
  readonly pending: Readonly<Record<string, StreamAmount>>;
  readonly outbox: Readonly<Record<string, StreamAmount>>;
  /** Whole messages in quarantine. */
  readonly quarantined: number;
  readonly checkpoint: { readonly throughOffset: number; readonly bytes: number } | undefined;
  readonly lost: readonly LostRows[];
  readonly problems: readonly string[];
  readonly problemCount: number;
}

export interface BufferFacts {
  readonly dir: string;
  readonly segments: readonly SegmentFacts[];
  readonly states: readonly StateFacts[];
}

/** Called before a file is read: long work shows where it is. */
export type Progress = (done: number, of: number, file: string) => void;

/** How often a state is read again that a gateway writes to. */
const ATTEMPTS_MAX = 5;

/** Reads every file of a buffer, what was set aside too. Touches nothing; a gateway may run on it. */
export function examineBuffer(
  dir: string,
  bodies: Bodies,
  progress: Progress = () => undefined,
): BufferFacts {
  const files = listBufferFiles(dir);
  const segments = [...files.segments, ...files.asideSegments];
  const states = [...files.states, ...files.asideStates];
  const total = segments.length + states.length;
  let done = 0;
  return {
    dir,
    segments: segments.flatMap((file) => {
      progress(done++, total, file.path);
      return orGone(() => examineSegment(files, file, bodies));
    }),
    states: states.flatMap((path) => {
      progress(done++, total, path);
      return orGone(() => examineState(path, bodies));
    }),
  };
}

/** A running gateway removes what is delivered while we read. */
function orGone<T>(read: () => T): readonly T[] {
  try {
    return [read()];
  } catch (error) {
    const cause = error instanceof PipelineError ? error.cause : error;
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw error;
  }
}

export function examineSegment(files: BufferFiles, file: SegmentFile, bodies: Bodies): SegmentFacts {
  const groups: { readonly first: number; readonly count: number }[] = [];
  const boots = new Set<string>();
  const unreadable = new Problems();
  let [bytes, encryptedGroups, firstAtUs, lastAtUs] = [0, 0, Infinity, -Infinity];
  const problems = readSegment(file.path, (row) => {
    const { first, count, body } = row;
    groups.push({ first, count });
    boots.add(row.boot_id);
    bytes += body.length;
    firstAtUs = Math.min(firstAtUs, row.wall_us);
    lastAtUs = Math.max(lastAtUs, row.wall_us);
    try {
      messagesOf(row, row, bodies);
    } catch (error) {
      if (error instanceof PipelineError && error.code.startsWith("keys.")) throw error;
      unreadable.report(describeError(error));
    }
    if (isEncrypted(body)) encryptedGroups++;
  });
  groups.sort((a, b) => a.first - b.first);
  const last = groups.at(-1);
  const isNone = last === undefined;
  return {
    file: file.path,
    isAside: file.isAside,
    firstOffset: file.firstOffset,
    endOffset: isNone ? file.firstOffset : last.first + last.count,
    groups: groups.length,
    messages: groups.reduce((sum, { count }) => sum + count, 0),
    bytes,
    encryptedGroups,
    firstAtUs: isNone ? undefined : firstAtUs,
    lastAtUs: isNone ? undefined : lastAtUs,
    boots: boots.size,
    lost: gaps(groups, file.firstOffset, file.isAside ? undefined : endOf(files, file)),
    problems: [...problems.named, ...unreadable.named],
    problemCount: problems.count + unreadable.count,
  };
}

export function examineState(path: string, bodies: Bodies): StateFacts {
  for (let attempt = 1; ; attempt++) {
    const image = new SqliteImage(path);
    try {
      const facts = readFacts(image, bodies);
      if (facts.problemCount === 0 || attempt === ATTEMPTS_MAX || !image.isChanged()) return facts;
    } finally {
      image.close();
    }
  }
}

function readFacts(image: SqliteImage, bodies: Bodies): StateFacts {
  const marks: Record<string, string | number> = {};
  const counters: Record<string, number> = {};
  const pending: Record<string, StreamAmount> = {};
  const outbox: Record<string, StreamAmount> = {};
  let quarantined = 0;
  let checkpoint: StateFacts["checkpoint"];
  const { problems, lost } = readState(image, bodies, ({ table, values }: StateRow) => {
    const [first, second, third, , rows] = values;
    if (table === "mark") marks[String(first)] = typeof second === "number" ? second : String(second);
    if (table === "counter") counters[String(first)] = Number(second);
    if (table === "pending") add(pending, String(second), { rows: Number(rows), body: values[6] });
    if (table === "outbox") add(outbox, String(second), { rows: Number(rows), body: values[7] });
    if (table === "message") quarantined++;
    if (table === "checkpoint")
      checkpoint = { throughOffset: Number(second), bytes: third instanceof Uint8Array ? third.length : 0 };
  });
  return {
    file: image.path,
    isAside: image.path.includes(".damaged"),
    marks,
    counters,
    pending,
    outbox,
    quarantined,
    checkpoint,
    lost,
    problems: problems.named,
    problemCount: problems.count,
  };
}

function add(
  amounts: Record<string, StreamAmount>,
  stream: string,
  { rows, body }: { readonly rows: number; readonly body: unknown },
): void {
  const before = amounts[stream] ?? { chunks: 0, rows: 0, bytes: 0 };
  amounts[stream] = {
    chunks: before.chunks + 1,
    rows: before.rows + rows,
    bytes: before.bytes + (body instanceof Uint8Array ? body.length : 0),
  };
}
