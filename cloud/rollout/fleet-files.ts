import {
  type DesiredState,
  desiredStateSchema,
  type ReportedState,
  reportedStateSchema,
} from "@sluice/shared/contract/fleet.ts";
import { desiredKey, reportedKey } from "@sluice/shared/contract/lake-key.ts";
import { describeIssues, type SettingsIssue } from "@sluice/shared/runtime/settings-issues.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";

/** A gateway's file as found. */
export type FleetFile<T> =
  | { readonly state: "missing" }
  | { readonly state: "read"; readonly value: T }
  | { readonly state: "unreadable"; readonly reason: string };

/** Largest fleet file that is loaded: a report with a thousand counters takes 64 KiB. */
const FLEET_FILE_BYTES_MAX = 1_048_576;

const ISSUES_SHOWN_MAX = 3;

interface Schema<T> {
  safeParse(
    value: unknown,
  ):
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: { readonly issues: readonly SettingsIssue[] } };
}

type Reader = Pick<ObjectStore, "get" | "head">;

/** What the cloud wanted of a gateway last. Throws only what the store throws. */
export const readDesired = (store: Reader, gateway: string): Promise<FleetFile<DesiredState>> =>
  readFile(store, { key: desiredKey(gateway), gateway, schema: desiredStateSchema });

/** What a gateway said last. Throws only what the store throws. */
export const readReported = (store: Reader, gateway: string): Promise<FleetFile<ReportedState>> =>
  readFile(store, { key: reportedKey(gateway), gateway, schema: reportedStateSchema });

async function readFile<T extends { readonly gateway: string }>(
  store: Reader,
  file: { readonly key: string; readonly gateway: string; readonly schema: Schema<T> },
): Promise<FleetFile<T>> {
  const info = await store.head(file.key);
  if (info === undefined) return { state: "missing" };
  if (info.bytes > FLEET_FILE_BYTES_MAX)
    return unreadable(file.key, `${info.bytes} bytes, the limit is ${FLEET_FILE_BYTES_MAX}`);
  const result = await store.get(file.key);
  if (result.state !== "found") return { state: "missing" };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(result.object.body));
  } catch {
    return unreadable(file.key, `not JSON (${result.object.body.length} bytes)`);
  }
  const parsed = file.schema.safeParse(value);
  if (!parsed.success)
    return unreadable(
      file.key,
      describeIssues(parsed.error.issues, value).slice(0, ISSUES_SHOWN_MAX).join("; "),
    );
  if (parsed.data.gateway !== file.gateway) return unreadable(file.key, `it is of ${parsed.data.gateway}`);
  return { state: "read", value: parsed.data };
}

const unreadable = (key: string, reason: string): FleetFile<never> => ({
  state: "unreadable",
  reason: `${key}: ${reason}`,
});
