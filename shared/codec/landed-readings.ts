import { CLOCKS, type ReadingBlock, type Series } from "../contract/reading.ts";
import type { ColumnData, ColumnTable } from "./columns.ts";

/** Readings of a landing object, as `decodeLanding` gives them, as the block that was encoded: the same rows and bits. */
export function landedReadings({ count, columns }: ColumnTable): ReadingBlock {
  const numbers = (name: string): Float64Array => {
    const column = columns[name];
    return column?.kind === "numbers" ? column.values : new Float64Array(count);
  };
  const clock = stringsOf(columns["clock"]);
  const withheld = columns["withheld"];
  return {
    count,
    ...seriesOf(count, columns),
    offset: numbers("offset"),
    index: Uint32Array.from(numbers("index")),
    measuredAtUs: numbers("measured_at"),
    receivedAtUs: numbers("received_at"),
    value: numbers("value"),
    clock: Uint8Array.from({ length: count }, (_, row) => CLOCKS.findIndex((one) => one === clock(row))),
    withheld: withheld?.kind === "booleans" ? withheld.values : new Uint8Array(count),
  };
}

function seriesOf(
  count: number,
  columns: ColumnTable["columns"],
): Pick<ReadingBlock, "series" | "seriesIndex"> {
  const [device, deviceType, metric, unit] = ["device", "device_type", "metric", "unit"].map((name) =>
    stringsOf(columns[name]),
  );
  const series: Series[] = [];
  const places = new Map<string, number>();
  const seriesIndex = new Uint32Array(count);
  for (let row = 0; row < count; row++) {
    const one = {
      device: device?.(row) ?? "",
      deviceType: deviceType?.(row) ?? "",
      metric: metric?.(row) ?? "",
      unit: unit?.(row),
    };
    const key = JSON.stringify(Object.values(one));
    const place = places.get(key) ?? series.push(one) - 1;
    places.set(key, place);
    seriesIndex[row] = place;
  }
  return { series, seriesIndex };
}

function stringsOf(column: ColumnData | undefined): (row: number) => string | undefined {
  if (column?.kind !== "strings") return () => undefined;
  const { dictionary, indices } = column;
  return (row) => dictionary[indices[row] ?? -1];
}
