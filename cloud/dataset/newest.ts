import { present } from "@sluice/shared/runtime/assert.ts";
import { KnownWindows, type VectorKeys } from "./known-windows.ts";
import { compareText } from "./order.ts";
import type { VectorTable } from "./source.ts";
import { rankSources } from "./sources.ts";

export interface Selection {
  /** Rows of the table, one per (gateway, device, window), ordered by window end, gateway, device, window start. */
  readonly rows: readonly number[];
  /** Rows that a newer revision, or a stronger source of the same gateway, replaces. */
  readonly superseded: number;
  /** Rows that were not known yet, or whose window begins before the history does. */
  readonly outside: number;
}

/**
 * The newest revision of each window that was known by `knownByUs`, by the same order as the point-in-time join: a
 * training set is its answer for the end of every window, as it was known at the cut-off. Pure.
 */
export function selectNewest(
  table: VectorTable,
  bounds: { readonly fromUs: number; readonly knownByUs: number },
): Selection {
  const at = (column: Float64Array, row: number): number => column[row] ?? NaN;
  const text = (column: readonly string[], row: number): string => column[row] ?? "";
  const all = Array.from(table.seq.keys());
  const known = all
    .filter(
      (row) => at(table.closedAtUs, row) <= bounds.knownByUs && at(table.windowStartUs, row) >= bounds.fromUs,
    )
    // Learning in the order of the ends moves nothing.
    .sort((a, b) => at(table.windowEndUs, a) - at(table.windowEndUs, b));

  const keys: VectorKeys = {
    windowEndUs: table.windowEndUs,
    source: sourceColumn(table, known),
    revision: Int32Array.from(table.revision),
    seq: table.seq,
  };
  const devices = new Map<string, KnownWindows>();
  for (const row of known) {
    const entity = `${text(table.gateway, row)}\n${text(table.device, row)}`;
    let windows = devices.get(entity);
    if (windows === undefined) devices.set(entity, (windows = new KnownWindows()));
    windows.learn(keys, row);
  }

  const rows = [...devices.values()]
    .flatMap((windows) => Array.from({ length: windows.count }, (_, place) => windows.row(place)))
    .sort(
      (a, b) =>
        at(table.windowEndUs, a) - at(table.windowEndUs, b) ||
        compareText(text(table.gateway, a), text(table.gateway, b)) ||
        compareText(text(table.device, a), text(table.device, b)) ||
        at(table.windowStartUs, a) - at(table.windowStartUs, b),
    );
  return { rows, superseded: known.length - rows.length, outside: all.length - known.length };
}

/** The rank of each known row's source. */
function sourceColumn(table: VectorTable, known: readonly number[]): Int32Array {
  const sources = new Map<string, { gateway: string; epoch: string; firstKnownUs: number }>();
  // Names hold no control characters, so a line feed parts them.
  const nameOf = (row: number): string => `${table.gateway[row] ?? ""}\n${table.epoch[row] ?? ""}`;
  for (const row of known) {
    const name = nameOf(row);
    const knownUs = table.closedAtUs[row] ?? NaN;
    const source = sources.get(name);
    if (source === undefined)
      sources.set(name, {
        gateway: table.gateway[row] ?? "",
        epoch: table.epoch[row] ?? "",
        firstKnownUs: knownUs,
      });
    else source.firstKnownUs = Math.min(source.firstKnownUs, knownUs);
  }
  const ranks = new Map(
    rankSources([...sources.values()]).map(({ gateway, epoch }, rank) => [`${gateway}\n${epoch}`, rank]),
  );
  const column = new Int32Array(table.seq.length);
  for (const row of known) column[row] = present(ranks.get(nameOf(row)), "each source has a rank");
  return column;
}
