import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { backfillKey, type BackfillRecord, backfillRecordSchema } from "@sluice/shared/contract/backfill.ts";
import { canonicalJson } from "@sluice/shared/contract/canonical-json.ts";
import type { FeatureVector } from "@sluice/shared/contract/vector.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

/** The epoch of a back-fill: a UUID of version 8 (RFC 9562) from the hash of what it computes. Pure. */
export function backfillEpoch(record: BackfillRecord): string {
  const digits = sha256Hex(canonicalJson(record));
  const variant = ((Number.parseInt(digits[16] ?? "0", 16) & 3) | 8).toString(16);
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `8${digits.slice(13, 16)}`,
    `${variant}${digits.slice(17, 20)}`,
    digits.slice(20, 32),
  ];
  return parts.join("-");
}

/** Whether a vector that the engine makes belongs to a back-fill. Pure. */
export const isKept = (record: BackfillRecord, vector: FeatureVector): boolean =>
  vector.windowStartUs >= record.fromUs &&
  vector.windowEndUs <= record.toUs &&
  (record.device === undefined || record.device === vector.device);

/** Puts the record of a back-fill; putting it again changes nothing. */
export async function putRecord(store: Pick<ObjectStore, "put">, record: BackfillRecord): Promise<void> {
  const body = new TextEncoder().encode(canonicalJson(record));
  await store.put(backfillKey(backfillEpoch(record)), body, { ifAbsent: true });
}

/** The record of a back-fill's epoch; undefined where there is none that makes this epoch. */
export async function readRecord(
  store: Pick<ObjectStore, "get">,
  epoch: string,
): Promise<BackfillRecord | undefined> {
  const result = await store.get(backfillKey(epoch));
  if (result.state !== "found") return undefined;
  try {
    const text = new TextDecoder().decode(result.object.body);
    const record = backfillRecordSchema.safeParse(JSON.parse(text)).data;
    return record !== undefined && backfillEpoch(record) === epoch ? record : undefined;
  } catch {
    return undefined;
  }
}
