import type { ReadingBlock, Series } from "../contract/reading.ts";

/** How many readings, how many series and how many bytes their names have, 32 bits each, and four that keep what follows aligned. */
const HEADER_BYTES = 16;

/** Bytes of one reading: four doubles, two numbers of 32 bits, two of 8. */
const READING_BYTES = 4 * 8 + 2 * 4 + 2;

/** The names of all series, one list for each of their parts; null where a series has no unit. */
type Names = readonly [
  devices: readonly string[],
  deviceTypes: readonly string[],
  metrics: readonly string[],
  units: readonly (string | null)[],
];

/**
 * A block of readings as bytes: a header, the columns as they are in memory, the widest first, and the names of the
 * series as JSON. A block of many series with one reading each costs little more than one of few.
 */
export function encodeReadings(block: ReadingBlock): Uint8Array {
  const { count, series } = block;
  const names = Buffer.from(JSON.stringify(namesOf(series)));
  const bytes = new Uint8Array(HEADER_BYTES + count * READING_BYTES + names.length);
  new Uint32Array(bytes.buffer, 0, 3).set([count, series.length, names.length]);
  let at = HEADER_BYTES;
  for (const column of columnsOf(block)) {
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, count * column.BYTES_PER_ELEMENT), at);
    at += count * column.BYTES_PER_ELEMENT;
  }
  bytes.set(names, at);
  return bytes;
}

/** Reads what `encodeReadings` wrote. Throws Error where the bytes are not of that form. */
export function decodeReadings(given: Uint8Array): ReadingBlock {
  const bytes = given.byteOffset % 8 === 0 ? given : Uint8Array.from(given);
  const { buffer, byteOffset, length } = bytes;
  if (length < HEADER_BYTES) throw new Error(`${length} bytes are no block of readings`);
  const [count = 0, seriesCount = 0, nameBytes = 0] = new Uint32Array(buffer, byteOffset, 3);
  const namesAt = HEADER_BYTES + count * READING_BYTES;
  if (length !== namesAt + nameBytes)
    throw new Error(`${length} bytes are no ${count} readings and ${nameBytes} bytes of names`);
  const from = byteOffset + HEADER_BYTES;
  const narrow = from + count * 40;
  return {
    count,
    series: seriesOf(Buffer.from(buffer, byteOffset + namesAt, nameBytes).toString(), seriesCount),
    seriesIndex: new Uint32Array(buffer, from + count * 32, count),
    offset: new Float64Array(buffer, from, count),
    index: new Uint32Array(buffer, from + count * 36, count),
    measuredAtUs: new Float64Array(buffer, from + count * 8, count),
    receivedAtUs: new Float64Array(buffer, from + count * 16, count),
    value: new Float64Array(buffer, from + count * 24, count),
    clock: new Uint8Array(buffer, narrow, count),
    withheld: new Uint8Array(buffer, narrow + count, count),
  };
}

/** In the order in which they are written: each begins where its elements are aligned. */
const columnsOf = (block: ReadingBlock) => [
  block.offset,
  block.measuredAtUs,
  block.receivedAtUs,
  block.value,
  block.seriesIndex,
  block.index,
  block.clock,
  block.withheld,
];

const namesOf = (series: readonly Series[]): Names => [
  series.map(({ device }) => device),
  series.map(({ deviceType }) => deviceType),
  series.map(({ metric }) => metric),
  series.map(({ unit }) => unit ?? null),
];

function seriesOf(text: string, count: number): readonly Series[] {
  const [devices, deviceTypes, metrics, units] = JSON.parse(text) as Names;
  return Array.from({ length: count }, (_, i) => ({
    device: nameAt(devices, i),
    deviceType: nameAt(deviceTypes, i),
    metric: nameAt(metrics, i),
    unit: units[i] ?? undefined,
  }));
}

function nameAt(names: readonly string[], at: number): string {
  const name = names[at];
  if (name === undefined) throw new Error(`series ${at} has no name`);
  return name;
}
