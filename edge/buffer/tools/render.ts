import { basename } from "node:path";
import { isoTime } from "@sluice/shared/runtime/clock.ts";
import type { BufferFacts, SegmentFacts, StateFacts } from "./examine.ts";
import type { Repair } from "./repair.ts";
import type { Verdict } from "./verdict.ts";

/** Lines of a list for a person; the rest is counted. */
const LINES_MAX = 60;

/** What a buffer holds, for a person. */
export function renderFacts({ dir, segments, states }: BufferFacts): string {
  const live = segments.filter(({ isAside }) => !isAside);
  const state = states.find(({ file, isAside }) => !isAside && basename(file) === "state.db");
  const sum = (of: (segment: SegmentFacts) => number): number =>
    live.reduce((total, one) => total + of(one), 0);
  const amounts = [
    `buffer ${dir}`,
    `  ${counted(
      sum(({ messages }) => messages),
      "message",
    )} in ${counted(live.length, "segment")}, ${size(sum(({ bytes }) => bytes))}`,
    ...(state === undefined ? ["  no state file"] : stateLines(state, live.at(-1)?.endOffset ?? 0)),
    ...states.flatMap(({ quarantined, isAside }) =>
      quarantined > 0 && !isAside ? [`  ${counted(quarantined, "message")} in quarantine`] : [],
    ),
  ];
  const aside = [...segments, ...states].filter(({ isAside }) => isAside);
  return [
    ...amounts,
    "",
    ...table(
      ["segment", "offsets", "messages", "size", "first", "last", "starts", "state"],
      live.map(segmentCells),
    ),
    ...(aside.length === 0 ? [] : ["", "set aside as damaged:", ...aside.map(({ file }) => `  ${file}`)]),
  ].join("\n");
}

function segmentCells(segment: SegmentFacts): readonly string[] {
  const { file, firstOffset, endOffset, messages, bytes, firstAtUs, lastAtUs, boots } = segment;
  const isWhole = segment.problemCount === 0 && segment.lost.length === 0;
  const encrypted = segment.encryptedGroups > 0 ? ", encrypted" : "";
  return [
    basename(file),
    endOffset === firstOffset ? "none" : `${firstOffset}–${endOffset - 1}`,
    String(messages),
    size(bytes),
    firstAtUs === undefined ? "" : isoTime(firstAtUs),
    lastAtUs === undefined ? "" : isoTime(lastAtUs),
    String(boots),
    (isWhole ? "whole" : "damaged") + encrypted,
  ];
}

function stateLines(state: StateFacts, endOffset: number): readonly string[] {
  const { marks, checkpoint, pending, outbox } = state;
  const decoded = Number(marks["decoded"] ?? -1);
  const streams = [...new Set([...Object.keys(pending), ...Object.keys(outbox)])];
  return [
    `  epoch ${marks["epoch"] ?? "none"}`,
    `  derived through offset ${decoded}; ${counted(Math.max(0, endOffset - decoded - 1), "message")} to go`,
    checkpoint === undefined
      ? "  no checkpoint"
      : `  checkpoint at offset ${checkpoint.throughOffset}, ${size(checkpoint.bytes)}`,
    "",
    ...table(
      ["stream", "waiting rows", "size", "batches to send", "rows", "size", "in the lake through"],
      streams.map((stream) => {
        const [waiting, sealed] = [pending[stream], outbox[stream]];
        return [
          stream,
          String(waiting?.rows ?? 0),
          size(waiting?.bytes ?? 0),
          String(sealed?.chunks ?? 0),
          String(sealed?.rows ?? 0),
          size(sealed?.bytes ?? 0),
          String(marks[`delivered.${stream}`] ?? "none"),
        ];
      }),
    ),
  ];
}

/** Whether a buffer is whole, for a person. */
export function renderVerdict({ isWhole, findings, messages, aside }: Verdict): string {
  const lines = isWhole
    ? [`whole: ${counted(messages, "message")}, every one as it was stored`]
    : [`not whole: ${counted(messages, "message")} as stored; these places are not:`];
  const places = findings.map(({ file, offsets, reason }) => {
    const where = offsets === undefined ? "" : `, offsets ${offsets.from} to ${offsets.end - 1}`;
    return `  ${file}${where}: ${reason}`;
  });
  const note = aside.length === 0 ? [] : [`${counted(aside.length, "file")} set aside as damaged before`];
  return [...lines, ...capped(places), ...note].join("\n");
}

/** What a repair came to, for a person. */
export function renderRepairs(repairs: readonly Repair[]): string {
  if (repairs.length === 0) return "nothing to repair: every file is whole";
  return repairs
    .flatMap(({ file, repaired, aside, savedMessages, savedRows, lost, problems, kept }) => [
      file,
      `  saved ${savedMessages > 0 ? `${counted(savedMessages, "message")} in ` : ""}${counted(savedRows, "row")}${repaired === undefined ? "" : `: ${repaired}`}`,
      ...(aside === undefined ? [] : [`  the damaged file is kept as ${aside}`]),
      ...(kept === undefined ? [] : [`  not put in place: ${kept}`]),
      ...capped(problems.map((problem) => `  found: ${problem}`)),
      ...capped(lost.map(({ from, end, what }) => `  lost: ${what} ${from} to ${end - 1}`)),
    ])
    .join("\n");
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

function capped(lines: readonly string[]): readonly string[] {
  const over = lines.length - LINES_MAX;
  return over > 0 ? [...lines.slice(0, LINES_MAX), `  and ${over} more (--json lists all)`] : lines;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const lines = all.map((row) =>
    `  ${row.map((text, i) => text.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd(),
  );
  return capped(lines);
}

function size(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  if (bytes < 1_048_576) return `${(bytes / 1_024).toFixed(1)} KiB`;
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
