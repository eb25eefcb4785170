import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { LANDING_PREFIX } from "@sluice/shared/contract/lake-key.ts";
import { type Clock, isoTime } from "@sluice/shared/runtime/clock.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

/** Where objects go that could not be used, each with a JSON that says why. */
export const SET_ASIDE_PREFIX = "quarantine/landing/";

const CHECKSUM_DIGITS = 16;

/**
 * Copies a landing object that cannot be used out of the way and writes its reason beside it; returns the copy's key.
 *
 * The copy's name has its checksum, so that doing it twice changes nothing and other bytes never replace it. The
 * object itself stays. `body` undefined: it is too large to copy, only the reason is written.
 */
export async function setAside(
  store: ObjectStore,
  clock: Clock,
  object: { readonly key: string; readonly body: Uint8Array | undefined; readonly reason: string },
): Promise<string> {
  const { key, body, reason } = object;
  const sha256 = body === undefined ? undefined : sha256Hex(body);
  const name = `${SET_ASIDE_PREFIX}${key.slice(LANDING_PREFIX.length)}.${sha256?.slice(0, CHECKSUM_DIGITS) ?? "not-copied"}`;
  if (body !== undefined) await store.put(name, body, { ifAbsent: true });
  const record = { key, reason, setAsideAt: isoTime(clock.nowUs()), bytes: body?.byteLength, sha256 };
  const text = new TextEncoder().encode(JSON.stringify(record));
  await store.put(`${name}.reason.json`, text, { ifAbsent: true });
  return name;
}
