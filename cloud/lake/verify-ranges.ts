import type { Stream } from "@sluice/shared/contract/stream.ts";
import type { Finding } from "./verify-finding.ts";
import type { CommittedRange, LedgerEntry } from "./verify-ledger.ts";

/** What one gateway says that it has delivered of one stream. */
export interface DeliveryClaim {
  readonly epoch: string;
  readonly reportedAt: string;
  /** The last offset that the lake took; -1 before the first. Undefined: the gateway's version does not say. */
  readonly deliveredThrough: number | undefined;
  /** The last offset that is in a batch of the outbox. */
  readonly sealedThrough: number | undefined;
  /** Rows that are in no batch yet. */
  readonly waitingRows: number | undefined;
}

/** A landing object that is there and that no commit has taken. */
export interface WaitingObject {
  readonly key: string;
  readonly from: number;
  readonly to: number;
}

export interface RangeInput {
  readonly table: Stream;
  readonly entry: LedgerEntry;
  /** The transaction's version in the newest snapshot; undefined: there is none. */
  readonly txn: number | undefined;
  /** What lies in landing beyond the transaction. */
  readonly waiting: readonly WaitingObject[];
  /** Undefined: the gateway has never reported, or what it said cannot be read. */
  readonly claim: DeliveryClaim | undefined;
}

/** Whether everything of one gateway's epoch is in one table. */
export interface RangeProof {
  /** Everything up to here was committed or passed over; -1: nothing. */
  readonly through: number;
  /** Rows, landing objects and ranges passed over of the commits that are still there. */
  readonly rows: number;
  readonly objects: number;
  readonly lostRanges: number;
  readonly findings: readonly Finding[];
}

/**
 * Proves from ranges that each offset of a gateway's epoch was committed once, and says where not. Pure.
 *
 * The ranges that commits took must follow each other from 0, or from where the log was cleaned up, without gap and
 * overlap, and end where the transaction is. What has landed and waits behind a gap is missing; whether the gateway
 * still has it is what the gateway says.
 */
export function proveRanges(input: RangeInput): RangeProof {
  const { entry, txn } = input;
  const ranges = entry.ranges.toSorted((a, b) => a.from - b.from || a.to - b.to);
  const findings: Finding[] = [];
  let through = entry.baseThrough;
  for (const range of ranges) {
    const gap = { from: through + 1, to: range.from - 1 };
    if (range.from > through + 1) findings.push(uncommittedGap(input, gap, range));
    if (range.from <= through && range.rows !== undefined) findings.push(overlap(input, range, through));
    if (range.rows === undefined) findings.push(lost(input, range, through));
    through = Math.max(through, range.to);
  }
  if (through !== (txn ?? -1)) findings.push(transactionDiffers(input, through));
  findings.push(...proveWaiting(input, through));
  const taken = ranges.filter(({ rows }) => rows !== undefined);
  return {
    through,
    rows: taken.reduce((sum, { rows = 0 }) => sum + rows, 0),
    objects: taken.length,
    lostRanges: ranges.length - taken.length,
    findings,
  };
}

const placeOf = ({
  table,
  entry: { gateway, epoch },
}: RangeInput): Pick<Finding, "table" | "gateway" | "epoch"> => ({
  table,
  gateway,
  epoch,
});

const uncommittedGap = (
  input: RangeInput,
  gap: { readonly from: number; readonly to: number },
  next: CommittedRange,
): Finding => ({
  kind: "gap",
  explained: false,
  ...placeOf(input),
  ...gap,
  detail: `no commit took offsets ${gap.from} to ${gap.to}, and version ${next.version} took those behind them`,
  remedy:
    "The log was changed, or another program writes to the table: restore the log from a backup of the lake.",
});

const overlap = (
  input: RangeInput,
  { from, to, version, key }: CommittedRange,
  through: number,
): Finding => ({
  kind: "overlap",
  explained: false,
  ...placeOf(input),
  from,
  to: Math.min(to, through),
  detail: `version ${version} took ${key}, of which offsets ${from} to ${Math.min(to, through)} had been taken before`,
  remedy: `Rows are there twice: compare them with \`sluice-cloud sql\`, and look at versions of the log before ${version}.`,
});

const lost = (
  input: RangeInput,
  { from, to, reason, setAside, key }: CommittedRange,
  through: number,
): Finding => ({
  kind: "lost",
  explained: true,
  ...placeOf(input),
  from: Math.max(from, through + 1),
  to,
  detail: `${key} could not be used: ${reason ?? "no reason was given"}`,
  remedy:
    setAside === undefined
      ? "The object was too large to be kept."
      : `Its bytes lie at ${setAside}: what can be read of them can be brought in again.`,
});

const transactionDiffers = (input: RangeInput, through: number): Finding => ({
  kind: "count",
  explained: false,
  ...placeOf(input),
  detail: `the ranges end at ${through}, the table's transaction says ${input.txn ?? "nothing"}`,
  remedy: "The log was changed by hand, or lost commits: restore it from a backup of the lake.",
});

/** What has landed and is not committed, and what the gateway still has. */
function proveWaiting(input: RangeInput, through: number): readonly Finding[] {
  const { claim, entry } = input;
  const isCurrent = claim?.epoch === entry.epoch;
  const findings: Finding[] = [];
  let reached = through;
  for (const { from, to } of input.waiting.toSorted((a, b) => a.from - b.from || a.to - b.to)) {
    if (to <= reached) continue;
    if (from > reached + 1) findings.push(landingGap(input, { from: reached + 1, to: from - 1 }));
    reached = to;
  }
  if (reached > through && findings.length === 0)
    findings.push({
      kind: "landed",
      explained: true,
      ...placeOf(input),
      from: through + 1,
      to: reached,
      detail: `offsets ${through + 1} to ${reached} have landed and are in no commit yet`,
      remedy: "`sluice-cloud commit`, or a running `sluice-cloud run`, takes them.",
    });
  if (isCurrent) findings.push(...proveClaim(input, reached));
  return findings;
}

/** Offsets that did not land, although later ones did: fine where the gateway says that it still has them. */
function landingGap(input: RangeInput, gap: { readonly from: number; readonly to: number }): Finding {
  const { claim, entry } = input;
  const place = placeOf(input);
  const behind = input.waiting.filter(({ from }) => from > gap.to).length;
  const waits = `${behind} landing ${behind === 1 ? "object waits" : "objects wait"} behind it`;
  const delivered = claim?.epoch === entry.epoch ? claim.deliveredThrough : undefined;
  if (claim !== undefined && delivered !== undefined && delivered < gap.to)
    return {
      kind: "outbox",
      explained: true,
      ...place,
      from: Math.max(gap.from, delivered + 1),
      to: gap.to,
      detail: `offsets ${gap.from} to ${gap.to} are still in the gateway's outbox, it said at ${claim.reportedAt}; ${waits}`,
      remedy: "They come when the gateway has its uplink; `sluice-gateway status` says when.",
    };
  return {
    kind: "gap",
    explained: false,
    ...place,
    ...gap,
    detail: `offsets ${gap.from} to ${gap.to} have not landed, ${waits}; ${whyUnknown(input, delivered)}`,
    remedy: "Look at the gateway's status and at who deletes objects below landing/.",
  };
}

function whyUnknown({ claim, entry }: RangeInput, delivered: number | undefined): string {
  if (claim === undefined) return "the gateway has not reported";
  if (claim.epoch !== entry.epoch) return `the gateway has gone on in epoch ${claim.epoch}`;
  if (delivered === undefined) return "the gateway's report does not say what it has delivered";
  return `the gateway says that the lake has everything up to ${delivered}`;
}

/** What the gateway says against what has landed. */
function proveClaim(input: RangeInput, reached: number): readonly Finding[] {
  const { claim, table } = input;
  const place = placeOf(input);
  const { deliveredThrough, sealedThrough = -1, waitingRows = 0, reportedAt } = claim ?? {};
  if (deliveredThrough === undefined) return [];
  if (deliveredThrough > reached)
    return [
      {
        kind: "delivered_missing",
        explained: false,
        ...place,
        from: reached + 1,
        to: deliveredThrough,
        detail: `the gateway delivered offsets up to ${deliveredThrough}, and they are neither in the table nor below landing/`,
        remedy:
          "Somebody deleted landing objects or commits of the table's log: restore them from a backup of the lake.",
      },
    ];
  const inOutbox = sealedThrough > Math.max(deliveredThrough, reached);
  if (!inOutbox && waitingRows === 0) return [];
  const parts = [
    ...(inOutbox
      ? [`offsets ${Math.max(deliveredThrough, reached) + 1} to ${sealedThrough} in batches`]
      : []),
    ...(waitingRows > 0 ? [`${waitingRows} rows in no batch yet`] : []),
  ];
  return [
    {
      kind: "outbox",
      explained: true,
      ...place,
      ...(inOutbox ? { from: Math.max(deliveredThrough, reached) + 1, to: sealedThrough } : {}),
      ...(waitingRows > 0 ? { count: waitingRows } : {}),
      detail: `the gateway had ${table} that the lake did not have at ${reportedAt ?? "its report"}: ${parts.join(", ")}`,
      remedy: "They come when the gateway has its uplink; `sluice-gateway status` says when.",
    },
  ];
}
