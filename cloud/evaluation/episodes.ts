import { rowsByDevice, type TestRows } from "./test-rows.ts";

export interface Episodes {
  /** Runs of alarmed windows of a device, and those among them without any faulty window. */
  readonly alarms: number;
  readonly falseAlarms: number;
  /** Runs of faulty windows of a device, and those among them with at least one alarm. */
  readonly faults: number;
  readonly found: number;
}

/**
 * Counts what an operator counts: alarms and faults, not windows.
 *
 * A run is a chain of windows of one device, each beginning before or when the one before it ends; a window that is
 * missing in between ends it.
 */
export function countEpisodes(rows: TestRows, alarms: Uint8Array): Episodes {
  const devices = rowsByDevice(rows);
  const alarmRuns = devices.flatMap((own) => runsOf(own, rows, alarms));
  const faultRuns = devices.flatMap((own) => runsOf(own, rows, rows.anomalous));
  return {
    alarms: alarmRuns.length,
    falseAlarms: alarmRuns.filter((run) => run.every((row) => rows.anomalous[row] !== 1)).length,
    faults: faultRuns.length,
    found: faultRuns.filter((run) => run.some((row) => alarms[row] === 1)).length,
  };
}

function runsOf(own: readonly number[], rows: TestRows, flags: Uint8Array): readonly (readonly number[])[] {
  const runs: number[][] = [];
  let previous: number | undefined;
  for (const row of own) {
    const touches = (rows.windowStartUs[row] ?? 0) <= (rows.windowEndUs[previous ?? -1] ?? -Infinity);
    const continues = touches && previous !== undefined && flags[previous] === 1;
    if (flags[row] === 1) {
      if (continues) runs.at(-1)?.push(row);
      else runs.push([row]);
    }
    previous = row;
  }
  return runs;
}
