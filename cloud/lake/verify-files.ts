import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Finding } from "./verify-finding.ts";
import type { TableLedger } from "./verify-ledger.ts";

/** Whether the files that a table's log names are there, with the bytes that it says. Pure. */
export function proveFiles(ledger: TableLedger, there: ReadonlyMap<string, number>): readonly Finding[] {
  const { table } = ledger;
  const findings: Finding[] = [];
  const named = new Set([...ledger.files.keys()].map(decodeURIComponent));
  for (const { file, stats } of ledger.files.values()) {
    const key = `${tablePrefix(table)}${decodeURIComponent(file.path)}`;
    const bytes = there.get(decodeURIComponent(file.path));
    if (bytes === file.size) continue;
    findings.push({
      kind: "file",
      explained: false,
      table,
      ...(stats === undefined ? {} : { count: stats.numRecords }),
      detail:
        bytes === undefined
          ? `${key} is in the table's log and not in the lake`
          : `${key} has ${bytes} bytes, the table's log says ${file.size}`,
      remedy: "Restore the object from a backup of the lake.",
    });
  }
  const removed = new Set([...ledger.tombstones].map(decodeURIComponent));
  const orphans = [...there].filter(
    ([path]) => path.endsWith(".parquet") && !named.has(path) && !removed.has(path),
  );
  if (orphans.length > 0)
    findings.push({
      kind: "orphan",
      explained: true,
      table,
      count: orphans.length,
      detail: `${orphans.length} files that no commit names lie in the table's folder, such as ${orphans[0]?.[0] ?? ""}: a writer died before its commit, or is about to commit`,
      remedy: "They are no rows of the table; vacuum removes them.",
    });
  return findings;
}
