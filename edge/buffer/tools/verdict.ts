import type { BufferFacts, SegmentFacts, StateFacts } from "./examine.ts";

/** A place in a buffer that is not as it was written. */
export interface Finding {
  readonly file: string;
  /** Message offsets [from, end) that are lost; undefined where none are, or where that cannot be known. */
  readonly offsets: { readonly from: number; readonly end: number } | undefined;
  readonly reason: string;
}

export interface Verdict {
  readonly isWhole: boolean;
  readonly findings: readonly Finding[];
  /** Files that were set aside as damaged earlier: known, and no part of the buffer any more. */
  readonly aside: readonly string[];
  readonly messages: number;
}

/** Says of a buffer whether it is whole, and where it is not. Pure. */
export function judgeBuffer({ segments, states }: BufferFacts): Verdict {
  const live = segments.filter(({ isAside }) => !isAside);
  const findings = [
    ...live.flatMap(segmentFindings),
    ...states.filter(({ isAside }) => !isAside).flatMap(stateFindings),
    ...markFindings(live, states),
  ];
  return {
    isWhole: findings.length === 0,
    findings,
    aside: [...segments, ...states].filter(({ isAside }) => isAside).map(({ file }) => file),
    messages: live.reduce((sum, { messages }) => sum + messages, 0),
  };
}

function segmentFindings({ file, lost, problems, problemCount }: SegmentFacts): readonly Finding[] {
  const over = problemCount - problems.length;
  return [
    ...problems.map((reason) => ({ file, offsets: undefined, reason })),
    ...(over > 0 ? [{ file, offsets: undefined, reason: `${over} more of the same kind` }] : []),
    ...lost.map(({ from, end }) => ({
      file,
      offsets: { from, end },
      reason: "messages that were stored, or may have been, are not there",
    })),
  ];
}

/** What rows of a table are to a person. */
const LOST_ROWS: Readonly<Record<string, string>> = { outbox: "a batch of", pending: "pending rows of" };

function stateFindings({ file, lost, problems, problemCount }: StateFacts): readonly Finding[] {
  const over = problemCount - problems.length;
  return [
    ...problems.map((reason) => ({ file, offsets: undefined, reason })),
    ...(over > 0 ? [{ file, offsets: undefined, reason: `${over} more of the same kind` }] : []),
    ...lost.map(({ what, stream, from, through }) => ({
      file,
      offsets: { from, end: through + 1 },
      reason: `${LOST_ROWS[what] ?? what} ${stream}`,
    })),
  ];
}

/** What the state says must fit what the segments hold. */
function markFindings(segments: readonly SegmentFacts[], states: readonly StateFacts[]): readonly Finding[] {
  const state = states.find(({ file, isAside }) => !isAside && file.endsWith("state.db"));
  if (state === undefined) return [];
  const finding = (reason: string): Finding => ({ file: state.file, offsets: undefined, reason });
  const decoded = state.marks["decoded"];
  const begun = Object.keys(state.marks).length > 0;
  const findings: Finding[] = [];
  if (begun && (typeof decoded !== "number" || state.marks["epoch"] === undefined))
    findings.push(finding("it does not say its epoch and how far it has come"));
  const first = segments[0]?.firstOffset;
  if (typeof decoded === "number" && first !== undefined && first > decoded + 1)
    findings.push({
      file: state.file,
      offsets: { from: decoded + 1, end: first },
      reason: "messages from which nothing was derived yet are not there",
    });
  const through = state.checkpoint?.throughOffset;
  if (typeof decoded === "number" && through !== undefined && through > decoded)
    findings.push(finding(`its checkpoint covers ${through}, it has come to ${decoded}`));
  return findings;
}
