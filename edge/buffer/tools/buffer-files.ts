import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** A file of segments, as its name says: the first offset that it may hold, and whether it was set aside as damaged. */
export interface SegmentFile {
  readonly path: string;
  readonly firstOffset: number;
  readonly isAside: boolean;
}

/** What there is in a buffer's folder. */
export interface BufferFiles {
  readonly dir: string;
  /** In order of their offsets; what was set aside is not among them. */
  readonly segments: readonly SegmentFile[];
  readonly asideSegments: readonly SegmentFile[];
  /** state.db, marks.db and quarantine.db, where they are there. */
  readonly states: readonly string[];
  /** Those that were set aside. */
  readonly asideStates: readonly string[];
}

const STATES = ["state.db", "marks.db", "quarantine.db"];
const SEGMENT = /^segment-(\d{16})\.db(\.damaged(-\d+)?)?$/;
const ASIDE_STATE = /^(state|marks|quarantine)\.db\.damaged(-\d+)?$/;

/** Lists a buffer's files; reads nothing of them. Throws PipelineError "config.buffer_dir" where there is no buffer. */
export function listBufferFiles(dir: string): BufferFiles {
  const segmentsDir = join(dir, "segments");
  const states = STATES.map((name) => join(dir, name)).filter((path) => existsSync(path));
  if (states.length === 0 && !existsSync(segmentsDir))
    throw new PipelineError("config.buffer_dir", `${dir} holds no buffer`, {
      hint: "Name the gateway's settings with --config, or the folder of buffer.dir with --dir.",
    });
  const all = names(segmentsDir).flatMap((name): readonly SegmentFile[] => {
    const found = SEGMENT.exec(name);
    return found === null
      ? []
      : [{ path: join(segmentsDir, name), firstOffset: Number(found[1]), isAside: found[2] !== undefined }];
  });
  return {
    dir,
    segments: all.filter(({ isAside }) => !isAside),
    asideSegments: all.filter(({ isAside }) => isAside),
    states,
    asideStates: names(dir)
      .filter((name) => ASIDE_STATE.test(name))
      .map((name) => join(dir, name)),
  };
}

/** Where the segment after `file` begins; undefined for the newest. */
export const endOf = (files: BufferFiles, file: SegmentFile): number | undefined =>
  files.segments.find(({ firstOffset }) => firstOffset > file.firstOffset)?.firstOffset;

const names = (dir: string): readonly string[] => (existsSync(dir) ? readdirSync(dir).sort() : []);
