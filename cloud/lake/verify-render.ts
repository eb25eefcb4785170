import type { DeviceHour, DeviceHours } from "./verify-devices.ts";
import type { VerifyReport } from "./verify.ts";
import type { EpochProof } from "./verify-epochs.ts";
import type { Finding, ProofState } from "./verify-finding.ts";

const WORDS: Readonly<Record<ProofState, string>> = {
  complete: "complete",
  explained: "incomplete, and it is known why",
  unexplained: "NOT EXPLAINED",
};

/** The proof for people: the answer, a line per gateway and table, what is missing and why. `limit` bounds each list. */
export function renderVerify(report: VerifyReport, limit: number): string {
  const unexplained = report.findings.filter(({ explained }) => !explained).length;
  const rest = report.findings.length - unexplained;
  return [
    `${WORDS[report.state]}: ${unexplained} unexplained, ${rest} explained; verified at ${report.verifiedAt}`,
    "",
    ...tableLines(
      ["table", "#commits", "#files", "#rows", "#landed", "#removed"],
      report.tables.map(({ table, commits, files, rows, landedRows, removedRows }) =>
        [table, commits, files, rows ?? "not known", landedRows, removedRows].map(shown),
      ),
    ),
    "",
    ...bounded(report.gateways.toSorted(byState), limit, "gateways and tables", (some) =>
      tableLines(
        ["gateway", "epoch", "table", "#through", "#rows", "#objects", "state"],
        some.map(epochCells),
      ),
    ),
    ...(report.findings.length === 0 ? [] : [""]),
    ...bounded(report.findings, limit, "findings", (some) => some.flatMap(findingLines)),
  ].join("\n");
}

/** Hours of devices, those with something missing first. */
export function renderDeviceHours({ hours, isWhole }: DeviceHours, limit: number): string {
  const complete = hours.filter(({ state }) => state === "complete").length;
  return [
    `${complete} of ${hours.length} device hours complete${isWhole ? "" : "; there are more: use --gateway, --from and --to"}`,
    ...bounded(hours.toSorted(byState), limit, "device hours", (some) =>
      tableLines(
        ["gateway", "device", "hour", "#rows", "state", "missing"],
        some.map(({ gateway, device, hour, rows, state, missing }: DeviceHour) => [
          gateway,
          device,
          hour.slice(0, 16),
          shown(rows),
          WORDS[state],
          missing.join("; "),
        ]),
      ),
    ),
  ].join("\n");
}

const ORDER: readonly ProofState[] = ["unexplained", "explained", "complete"];
const byState = (a: { readonly state: ProofState }, b: { readonly state: ProofState }): number =>
  ORDER.indexOf(a.state) - ORDER.indexOf(b.state);

const epochCells = ({
  gateway,
  epoch,
  table,
  through,
  rows,
  objects,
  state,
}: EpochProof): readonly string[] => [
  gateway,
  epoch.slice(0, 8),
  table,
  String(through),
  shown(rows),
  shown(objects),
  WORDS[state],
];

function findingLines({
  kind,
  explained,
  table,
  gateway,
  epoch,
  from,
  to,
  detail,
  remedy,
}: Finding): readonly string[] {
  const place = [
    table,
    ...(gateway === undefined ? [] : [`gateway ${gateway}`]),
    ...(epoch === undefined ? [] : [`epoch ${epoch.slice(0, 8)}`]),
    ...(from === undefined ? [] : [`offsets ${from} to ${to ?? "?"}`]),
  ].join(", ");
  return [
    `${explained ? "explained" : "NOT EXPLAINED"} ${kind.replaceAll("_", " ")}: ${place}`,
    `  ${detail}`,
    ...(remedy === undefined ? [] : [`  ${remedy}`]),
  ];
}

/** At most `limit` of a list, and how many more there are. */
export function bounded<T>(
  all: readonly T[],
  limit: number,
  what: string,
  render: (some: readonly T[]) => readonly string[],
): readonly string[] {
  const more = all.length - limit;
  return [
    ...render(all.slice(0, limit)),
    ...(more > 0 ? [`(${shown(more)} more ${what}: raise --limit)`] : []),
  ];
}

export const shown = (value: string | number): string =>
  typeof value === "number" ? value.toLocaleString("en") : value;

/** Cells in columns; a heading that begins with # is of numbers, to the right. */
export function tableLines(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const isNumber = headings.map((heading) => heading.startsWith("#"));
  const lines = [headings.map((heading) => heading.replace("#", "")), ...rows];
  const widths = headings.map((_, i) =>
    lines.reduce((width, line) => Math.max(width, (line[i] ?? "").length), 0),
  );
  return lines.map((line) =>
    line
      .map((cell, i) => (isNumber[i] === true ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
