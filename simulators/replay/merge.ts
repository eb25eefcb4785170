import { Recording } from "./recording.ts";
import type { ReplayMap } from "./replay-map.ts";
import type { Row } from "./row.ts";
import { isEmptyRow } from "./survey.ts";
import type { FileSurvey } from "./survey.ts";

/** A file to be replayed: its rows' times move by `moveUs`. */
export interface MovedFile extends FileSurvey {
  readonly moveUs: number;
}

/** How files lie to each other in time: as they were recorded, or all beginning with the earliest. */
export function alignFiles(surveys: readonly FileSurvey[], together: boolean): readonly MovedFile[] {
  const earliestUs = Math.min(...surveys.filter(({ rows }) => rows > 0).map(({ fromUs }) => fromUs));
  return surveys.map((survey) => ({
    ...survey,
    moveUs: together && survey.rows > 0 ? earliestUs - survey.fromUs : 0,
  }));
}

interface Head {
  readonly recording: Recording;
  readonly moveUs: number;
  row: Row;
}

/**
 * The rows of all files in the order in which they happened, always the same; a file's own order is kept, also where
 * its times go back, and of equal times the earlier file's row comes first. Bad and empty rows are left out.
 */
export async function* mergeFiles(files: readonly MovedFile[], map: ReplayMap): AsyncGenerator<Row> {
  const heads: Head[] = [];
  try {
    for (const { path, firstRowIndex, moveUs } of files) {
      const recording = new Recording({ path, map, firstRowIndex });
      const row = await nextRow(recording, moveUs);
      if (row !== undefined) heads.push({ recording, moveUs, row });
    }
    for (;;) {
      let first: Head | undefined;
      for (const head of heads)
        if (first === undefined || head.row.measuredAtUs < first.row.measuredAtUs) first = head;
      if (first === undefined) return;
      yield first.row;
      const row = await nextRow(first.recording, first.moveUs);
      if (row === undefined) heads.splice(heads.indexOf(first), 1);
      else first.row = row;
    }
  } finally {
    for (const { recording } of heads) recording.close();
  }
}

async function nextRow(recording: Recording, moveUs: number): Promise<Row | undefined> {
  for (;;) {
    const row = await recording.next();
    if (row === undefined) return undefined;
    if (!isEmptyRow(row)) return moveUs === 0 ? row : { ...row, measuredAtUs: row.measuredAtUs + moveUs };
  }
}
