import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { LandingObject } from "./plan-landing.ts";
import { type Finding, type ProofState, stateOf } from "./verify-finding.ts";
import type { TableLedger } from "./verify-ledger.ts";
import { proveRanges } from "./verify-ranges.ts";
import type { Claims } from "./verify-sources.ts";

/** What one gateway's epoch has in one table. */
export interface EpochProof {
  readonly gateway: string;
  readonly epoch: string;
  readonly table: Stream;
  readonly state: ProofState;
  /** The last offset that was committed; -1: none. */
  readonly through: number;
  readonly rows: number;
  readonly objects: number;
}

/** Proves the ranges of every gateway's epoch in every table, with what has landed and what the gateway says. Pure. */
export function proveEpochs(
  ledgers: ReadonlyMap<Stream, TableLedger>,
  landing: ReadonlyMap<string, readonly LandingObject[]>,
  claims: Claims,
): { readonly epochs: readonly EpochProof[]; readonly found: readonly Finding[] } {
  const epochs: EpochProof[] = [];
  const found: Finding[] = [];
  for (const [table, ledger] of ledgers)
    for (const appId of appIdsOf(ledger, landing, claims)) {
      const [gateway = "", epoch = ""] = appId.split("/");
      const entry = ledger.entries.get(appId) ?? { gateway, epoch, ranges: [], baseThrough: -1 };
      const txn = ledger.txns.get(appId);
      const waiting = (landing.get(appId) ?? [])
        .filter(({ range }) => range.to > (txn ?? -1))
        .map(({ key, range: { from, to } }) => ({ key, from, to }));
      const claim = claims.byGateway.get(gateway)?.streams.get(table);
      const { findings, ...proof } = proveRanges({ table, entry, txn, waiting, claim });
      found.push(...findings);
      // A gateway that never had anything for a table is not worth a line.
      if (proof.through < 0 && findings.length === 0) continue;
      epochs.push({ gateway, epoch, table, state: stateOf(findings), ...proof });
    }
  return { epochs, found };
}

/** Whoever has rows in a table, objects for it below landing/, or says that it has some. */
function appIdsOf(
  { table, entries }: TableLedger,
  landing: ReadonlyMap<string, readonly LandingObject[]>,
  claims: Claims,
): readonly string[] {
  const ids = new Set(entries.keys());
  for (const appId of landing.keys()) if (appId.endsWith(`/${table}`)) ids.add(appId);
  for (const [gateway, { epoch }] of claims.byGateway) ids.add(`${gateway}/${epoch}/${table}`);
  return [...ids].sort();
}

/** Messages that gateways have stored and not decoded, and reports that cannot be read. */
export function proveReports({ byGateway, unreadable }: Claims): readonly Finding[] {
  const findings: Finding[] = [];
  for (const [gateway, { epoch, reportedAt, storedThrough = -1, decodedThrough = -1 }] of byGateway)
    if (storedThrough > decodedThrough)
      findings.push({
        kind: "outbox",
        explained: true,
        table: "readings",
        gateway,
        epoch,
        from: decodedThrough + 1,
        to: storedThrough,
        count: storedThrough - decodedThrough,
        detail: `messages ${decodedThrough + 1} to ${storedThrough} were acknowledged and not decoded yet at ${reportedAt}`,
        remedy: "They come when the gateway has its uplink; `sluice-gateway status` says when.",
      });
  for (const [gateway, why] of unreadable)
    findings.push({
      kind: "log",
      explained: false,
      table: "readings",
      gateway,
      detail: `what the gateway still has is not known: ${why}`,
      remedy:
        "The gateway writes the report anew within models.reportIntervalMs; run one version on both sides.",
    });
  return findings;
}

/** What gateways refused and the lake has, by gateway. */
export function quarantined(ledger: TableLedger | undefined): readonly Finding[] {
  return [...(ledger?.entries.values() ?? [])].flatMap(({ gateway, epoch, ranges }): readonly Finding[] => {
    const count = ranges.reduce((sum, { rows = 0 }) => sum + rows, 0);
    if (count === 0) return [];
    return [
      {
        kind: "quarantined",
        explained: true,
        table: "readings",
        gateway,
        epoch,
        count,
        detail: `${count} messages or values were refused by their gateway, each with its reason in the table quarantine`,
        remedy: `sluice-cloud sql "select reason, count(*) from quarantine where gateway = '${gateway}' group by 1"`,
      },
    ];
  });
}
