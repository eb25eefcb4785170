import { Recording } from "./recording.ts";
import type { ReplayMap } from "./replay-map.ts";
import type { BadRow, Row } from "./row.ts";

/** What is in one file. */
export interface FileSurvey {
  readonly path: string;
  /** Good rows with at least one value: the messages. */
  readonly rows: number;
  /** Good rows in which every value is missing; nothing is published for them. */
  readonly emptyRows: number;
  readonly badRows: number;
  /** Of the first file row: where the numbering of rows begins for maps whose time is the row's number. */
  readonly firstRowIndex: number;
  /** Smallest and largest event time; NaN without a row. */
  readonly fromUs: number;
  readonly toUs: number;
}

export const isEmptyRow = (row: Row): boolean => Object.keys(row.values).length === 0;

/**
 * Reads all files once, so that what is wrong in them is known before anything is published.
 *
 * Where the time is the row's number, the files are one recording in the given order. Throws PipelineError
 * "replay.file_refused".
 */
export async function surveyFiles(
  paths: readonly string[],
  map: ReplayMap,
  bad: (row: BadRow) => void,
): Promise<readonly FileSurvey[]> {
  const surveys: FileSurvey[] = [];
  let firstRowIndex = 0;
  for (const path of paths) {
    let badRows = 0;
    const recording = new Recording({
      path,
      map,
      firstRowIndex,
      bad: (row) => {
        badRows++;
        bad(row);
      },
    });
    let [rows, emptyRows, fromUs, toUs] = [0, 0, Number.NaN, Number.NaN];
    for (let row = await recording.next(); row !== undefined; row = await recording.next()) {
      if (isEmptyRow(row)) {
        emptyRows++;
        continue;
      }
      rows++;
      if (!(fromUs <= row.measuredAtUs)) fromUs = row.measuredAtUs;
      if (!(toUs >= row.measuredAtUs)) toUs = row.measuredAtUs;
    }
    surveys.push({ path, rows, emptyRows, badRows, firstRowIndex, fromUs, toUs });
    firstRowIndex = recording.rowIndex;
  }
  return surveys;
}
