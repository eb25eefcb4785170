import type { VectorTable } from "./source.ts";
import { compareText } from "./order.ts";

export interface Selection {
  /** Rows of the table, one per (gateway, device, window), ordered by window end, gateway, device, window start. */
  readonly rows: readonly number[];
  /** Rows that a newer revision, or a newer epoch of the same gateway, replaces. */
  readonly superseded: number;
  /** Rows that were not known yet, or whose window begins before the history does. */
  readonly outside: number;
}

/**
 * The newest revision of each window that was known by `knownByUs`.
 *
 * Within an epoch the revision number says which is newer, then the sequence number. Across epochs of one gateway
 * (its buffer was replaced) the one that closed later is newer, then the epoch's name decides. Pure.
 */
export function selectNewest(
  table: VectorTable,
  bounds: { readonly fromUs: number; readonly knownByUs: number },
): Selection {
  const at = (column: Float64Array, row: number): number => column[row] ?? NaN;
  const text = (column: readonly string[], row: number): string => column[row] ?? "";
  const newest = new Map<string, number>();
  let outside = 0;
  let known = 0;

  const isNewer = (row: number, than: number): boolean => {
    const sameEpoch = text(table.epoch, row) === text(table.epoch, than);
    const order = sameEpoch
      ? at(table.revision, row) - at(table.revision, than) || at(table.seq, row) - at(table.seq, than)
      : at(table.closedAtUs, row) - at(table.closedAtUs, than) ||
        compareText(text(table.epoch, row), text(table.epoch, than));
    return order > 0;
  };
  const keep = (key: string, row: number): void => {
    const other = newest.get(key);
    if (other === undefined || isNewer(row, other)) newest.set(key, row);
  };

  // Two steps, because "newer" is one order within an epoch and another across epochs.
  for (let row = 0; row < table.seq.length; row++) {
    if (at(table.closedAtUs, row) > bounds.knownByUs || at(table.windowStartUs, row) < bounds.fromUs)
      outside++;
    else {
      known++;
      keep(`${windowKey(table, row)}\n${text(table.epoch, row)}`, row);
    }
  }
  const perEpoch = [...newest.values()];
  newest.clear();
  for (const row of perEpoch) keep(windowKey(table, row), row);

  const rows = [...newest.values()].sort(
    (a, b) =>
      at(table.windowEndUs, a) - at(table.windowEndUs, b) ||
      compareText(text(table.gateway, a), text(table.gateway, b)) ||
      compareText(text(table.device, a), text(table.device, b)) ||
      at(table.windowStartUs, a) - at(table.windowStartUs, b),
  );
  return { rows, superseded: known - rows.length, outside };
}

/** Names hold no control characters, so a line feed parts them. */
function windowKey(table: VectorTable, row: number): string {
  return `${table.gateway[row] ?? ""}\n${table.device[row] ?? ""}\n${table.windowStartUs[row] ?? ""}\n${table.windowEndUs[row] ?? ""}`;
}
