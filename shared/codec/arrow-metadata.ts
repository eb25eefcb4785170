/**
 * Checks the counts in the metadata of an Arrow IPC stream before a library believes them.
 *
 * Metadata are flatbuffers, whose vectors say how long they are; the Arrow library loops over what they say, and a
 * damaged count of a thousand million would keep it busy until memory is gone. Only the vectors that it walks are
 * looked at; everything else it reads once, and its failures are caught.
 *
 * Layouts: Arrow `Message.fbs` and `Schema.fbs`, flatbuffers "Internals".
 */

/** Most fields of a schema, nested ones counted. */
const FIELDS_MAX = 1_000;

/** What is wrong with the metadata. */
export class ArrowMetadataError extends Error {}

/** First word of a message since Arrow 0.15; before, it was the length itself. */
const CONTINUATION = 0xffffffff;

const HEADER_TYPES = { schema: 1, dictionaryBatch: 2, recordBatch: 3 } as const;

/** Bytes of the elements of vectors: FieldNode and Buffer are structs of two 64-bit numbers. */
const STRUCT_BYTES = 16;
const OFFSET_BYTES = 4;
const LONG_BYTES = 8;

/** Throws ArrowMetadataError, or RangeError where an offset points outside, for what a library must not be given. */
export function checkArrowMetadata(bytes: Uint8Array): void {
  const stream = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = { fields: 0 };
  for (let at = 0; at + 4 <= bytes.length;) {
    let length = stream.getUint32(at, true);
    at += 4;
    if (length === CONTINUATION) {
      if (at + 4 > bytes.length) return;
      length = stream.getUint32(at, true);
      at += 4;
    }
    if (length === 0) return; // The end of the stream, said in words.
    if (length > bytes.length - at) throw new ArrowMetadataError(`metadata of ${length} bytes do not fit`);
    const body = checkMessage(new DataView(bytes.buffer, bytes.byteOffset + at, length), count);
    at += length + body;
  }
}

/** Checks a message; returns the bytes of its body. */
function checkMessage(view: DataView, count: { fields: number }): number {
  const message = view.getUint32(0, true);
  const type = slotOf(view, message, 1);
  const header = slotOf(view, message, 2);
  const bodyLength = slotOf(view, message, 3);
  if (type === undefined || header === undefined) throw new ArrowMetadataError("a message without a header");
  checkVector(view, slotOf(view, message, 4), OFFSET_BYTES);
  const table = follow(view, header);
  switch (view.getUint8(type)) {
    case HEADER_TYPES.schema:
      checkVector(view, slotOf(view, table, 2), OFFSET_BYTES);
      checkVector(view, slotOf(view, table, 3), LONG_BYTES);
      checkFields(view, slotOf(view, table, 1), count);
      break;
    case HEADER_TYPES.dictionaryBatch: {
      const data = slotOf(view, table, 1);
      if (data !== undefined) checkBatch(view, follow(view, data));
      break;
    }
    case HEADER_TYPES.recordBatch:
      checkBatch(view, table);
      break;
    default:
      throw new ArrowMetadataError(`a message of type ${view.getUint8(type)}`);
  }
  const body = bodyLength === undefined ? 0 : Number(view.getBigInt64(bodyLength, true));
  if (!(body >= 0)) throw new ArrowMetadataError(`a body of ${body} bytes`);
  return body;
}

function checkBatch(view: DataView, batch: number): void {
  checkVector(view, slotOf(view, batch, 1), STRUCT_BYTES);
  checkVector(view, slotOf(view, batch, 2), STRUCT_BYTES);
  checkVector(view, slotOf(view, batch, 4), LONG_BYTES);
}

function checkFields(view: DataView, slot: number | undefined, count: { fields: number }): void {
  const { at, length } = checkVector(view, slot, OFFSET_BYTES);
  count.fields += length;
  if (count.fields > FIELDS_MAX) throw new ArrowMetadataError(`more than ${FIELDS_MAX} fields`);
  for (let i = 0; i < length; i++) {
    const field = follow(view, at + i * OFFSET_BYTES);
    checkVector(view, slotOf(view, field, 0), 1);
    checkVector(view, slotOf(view, field, 6), OFFSET_BYTES);
    checkFields(view, slotOf(view, field, 5), count);
  }
}

/** A vector must end within the metadata. */
function checkVector(
  view: DataView,
  slot: number | undefined,
  elementBytes: number,
): { readonly at: number; readonly length: number } {
  if (slot === undefined) return { at: 0, length: 0 };
  const at = follow(view, slot);
  const length = view.getUint32(at, true);
  if (at + 4 + length * elementBytes > view.byteLength)
    throw new ArrowMetadataError(`${length} values do not fit in ${view.byteLength} bytes of metadata`);
  return { at: at + 4, length };
}

const follow = (view: DataView, at: number): number => at + view.getUint32(at, true);

/** Where a table's field lies; undefined where it has its default. */
function slotOf(view: DataView, table: number, field: number): number | undefined {
  const layout = table - view.getInt32(table, true);
  const entry = 4 + field * 2;
  if (entry + 2 > view.getUint16(layout, true)) return undefined;
  const offset = view.getUint16(layout + entry, true);
  return offset === 0 ? undefined : table + offset;
}
