import { SHA256_METADATA } from "@sluice/shared/contract/lake-key.ts";
import { type Stream, STREAMS } from "@sluice/shared/contract/stream.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { concurrently } from "./concurrently.ts";
import type { LandingObject } from "./plan-landing.ts";
import type { Finding } from "./verify-finding.ts";
import type { LedgerEntry, TableLedger } from "./verify-ledger.ts";
import { readSetAside } from "./verify-sources.ts";

/** Landing objects whose checksum is asked for; more are not needed for a proof, and each is a request. */
const LANDING_HEADS_MAX = 20_000;
const FETCHES_MAX = 16;

interface Looking {
  readonly store: ObjectStore;
  readonly tell: (doing: string, share?: number) => void;
}

/** Whether the landing objects that are still there, within their grace, are those that were committed. */
export async function proveLanding(
  { store, tell }: Looking,
  ledgers: ReadonlyMap<Stream, TableLedger>,
  landing: ReadonlyMap<string, readonly LandingObject[]>,
): Promise<readonly Finding[]> {
  const pairs: { readonly object: LandingObject; readonly sha256: string }[] = [];
  for (const [appId, objects] of landing) {
    const entry = ledgers.get(objects[0]?.range.stream ?? "readings")?.entries.get(appId);
    if (entry === undefined) continue;
    const committed = new Map(entry.ranges.map(({ key, sha256 }) => [key, sha256]));
    for (const object of objects) {
      const sha256 = committed.get(object.key);
      if (sha256 !== undefined && pairs.length < LANDING_HEADS_MAX) pairs.push({ object, sha256 });
    }
  }
  const findings: Finding[] = [];
  let done = 0;
  for await (const [{ object, sha256 }, info] of concurrently(pairs, FETCHES_MAX, ({ object: { key } }) =>
    store.head(key),
  )) {
    tell("comparing checksums of landing objects", ++done / pairs.length);
    const stated = info?.metadata[SHA256_METADATA];
    if (stated === undefined || stated === sha256) continue;
    const { key, range } = object;
    findings.push({
      kind: "landing_differs",
      explained: false,
      table: range.stream,
      gateway: range.gateway,
      epoch: range.epoch,
      from: range.from,
      to: range.to,
      detail: `${key} has checksum ${stated}, the commit took ${sha256}`,
      remedy:
        "Two writers have the same name, or somebody changed the object: look for a second gateway with this id.",
    });
  }
  return findings;
}

/** Objects that were set aside and whose range is recorded nowhere else. */
export async function setAsideFindings(
  store: ObjectStore,
  ledgers: ReadonlyMap<Stream, TableLedger>,
): Promise<readonly Finding[]> {
  const lost = new Set(
    [...ledgers.values()].flatMap(({ entries }) => [...entries.values()].flatMap(lostKeys)),
  );
  const { objects, more } = await readSetAside(store);
  const findings = objects
    .filter(({ key }) => !lost.has(key))
    .map(({ key, reason, aside }): Finding => {
      const table = STREAMS.find((stream) => key.startsWith(`landing/${stream}/`)) ?? "readings";
      const gateway = /\/gateway=([^/]+)\//.exec(key)?.[1];
      return {
        kind: "set_aside",
        explained: true,
        table,
        ...(gateway === undefined ? {} : { gateway }),
        detail: `${key} was set aside: ${reason}`,
        remedy: `It lies at ${aside.replace(/\.reason\.json$/, "")}; no range needs it.`,
      };
    });
  if (more > 0)
    findings.push({
      kind: "set_aside",
      explained: true,
      table: "readings",
      count: more,
      detail: `${more} more objects were set aside`,
    });
  return findings;
}

const lostKeys = ({ ranges }: LedgerEntry): readonly string[] =>
  ranges.filter(({ rows }) => rows === undefined).map(({ key }) => key);
