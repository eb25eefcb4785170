import type { CommitReport } from "./commit-report.ts";

const mib = (bytes: number): number => Math.ceil(bytes / 1_048_576);

/** A commit report for people: one line, and one for each thing that a person should know of. */
export function renderCommit(report: CommitReport): string {
  const tables = Object.entries(report.rowsByTable).map(([table, rows]) => `${rows} ${table}`);
  const committed =
    report.commits === 0
      ? "nothing to commit"
      : `committed ${report.rows} rows (${tables.join(", ")}) of ${report.objects} landing objects, at most ${mib(report.heldBytesMax)} MiB of them at once`;
  return [
    report.deleted === 0 ? committed : `${committed}; deleted ${report.deleted} landing objects past grace`,
    ...report.unknownColumns.map(
      ({ stream, gateway, columns }) =>
        `without columns: gateway ${gateway} lands ${stream} with ${columns.join(", ")}, which this version does not know. Upgrade the cloud before the gateways.`,
    ),
    ...report.gaps.map(
      ({ stream, gateway, epoch, from, to, waiting }) =>
        `waiting: ${stream} ${from} to ${to} of gateway ${gateway}, epoch ${epoch}, has not come; ${waiting} objects wait behind it`,
    ),
    ...report.lost.map(({ key, reason, setAside }) => `lost: ${key}: ${reason}. Set aside as ${setAside}.`),
    ...report.setAside.map(
      ({ key, reason, setAside }) => `set aside: ${key}: ${reason}. It lies at ${setAside}.`,
    ),
  ].join("\n");
}
