/** A value of a row as SQLite stores it; `null` is SQL's. */
export type SqlValue = null | number | string | Uint8Array;

/** A number of 1 to 9 bytes and where it ends; undefined where the bytes end first. */
export function readVarint(
  bytes: Buffer,
  at: number,
): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 9; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    if (i === 8) return { value: value * 256 + byte, end: at + 9 };
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return undefined;
}

/** Bytes of a value by its serial type (sqlite.org/fileformat2.html, §2.1); undefined for types that do not exist. */
export function valueBytes(type: number): number | undefined {
  if (type >= 12) return Math.floor((type - 12) / 2);
  return [0, 1, 2, 3, 4, 6, 8, 8, 0, 0][type];
}

/** The serial types in a record's header and where its values begin; undefined where it is no header. */
export function readRecordHeader(
  bytes: Buffer,
  at: number,
): { readonly types: readonly number[]; readonly end: number; readonly totalBytes: number } | undefined {
  const size = readVarint(bytes, at);
  if (size === undefined || size.value < 1 || at + size.value > bytes.length) return undefined;
  const end = at + size.value;
  const types: number[] = [];
  let totalBytes = size.value;
  let next = size.end;
  while (next < end) {
    const type = readVarint(bytes, next);
    const length = type === undefined ? undefined : valueBytes(type.value);
    if (type === undefined || length === undefined) return undefined;
    types.push(type.value);
    totalBytes += length;
    next = type.end;
  }
  return next === end ? { types, end, totalBytes } : undefined;
}

/** The values of a whole record; undefined where it is not one. */
export function readRecord(payload: Buffer): readonly SqlValue[] | undefined {
  const header = readRecordHeader(payload, 0);
  if (header === undefined || header.totalBytes !== payload.length) return undefined;
  let at = header.end;
  return header.types.map((type) => {
    const start = at;
    at += valueBytes(type) ?? 0;
    return readValue(payload.subarray(start, at), type);
  });
}

function readValue(bytes: Buffer, type: number): SqlValue {
  if (type === 0) return null;
  if (type === 7) return bytes.readDoubleBE(0);
  if (type === 8 || type === 9) return type - 8;
  if (type >= 12) return type % 2 === 0 ? bytes : bytes.toString("utf8");
  // Ours are within 2^53; what is not comes from damage, and its checksum says so.
  return bytes.length === 8
    ? bytes.readInt32BE(0) * 2 ** 32 + bytes.readUInt32BE(4)
    : bytes.readIntBE(0, bytes.length);
}
