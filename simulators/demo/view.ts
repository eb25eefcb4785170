import type { Observation, PumpView } from "./observation.ts";
import { STEPS, type StoryState } from "./story.ts";

export interface Frame {
  readonly state: StoryState;
  readonly seen: Observation;
  readonly elapsedS: number;
  /** Lines that stay at the top: where things are. */
  readonly places: readonly string[];
  /** What the demo did to the world last, in words. */
  readonly note: string;
  readonly widthChars: number;
  readonly heightRows: number;
}

const ESC = "\u001b[";
const bold = (text: string): string => `${ESC}1m${text}${ESC}0m`;
const dim = (text: string): string => `${ESC}2m${text}${ESC}0m`;
const red = (text: string): string => `${ESC}31m${text}${ESC}0m`;
const green = (text: string): string => `${ESC}32m${text}${ESC}0m`;
const number = (value: number): string => Math.round(value).toLocaleString("en");

/** One picture of the running demo, as lines that fit the terminal. Pure. */
export function renderFrame(frame: Frame): readonly string[] {
  const { state, seen, elapsedS } = frame;
  const clock = `${Math.floor(elapsedS / 60)}:${String(Math.floor(elapsedS % 60)).padStart(2, "0")}`;
  const alert = seen.alerts.at(-1);
  const steps = STEPS.map(({ text }, i) => stepLine(text, i, state.done.length));
  const full: Blocks = {
    title: [`${bold("Sluice demo")}  pumps ─▶ gateway ─▶ lake ─▶ model ─▶ gateway   ${dim(clock)}`],
    places: [...frame.places.map((line) => dim(`  ${line}`)), ""],
    state: [...gatewayLines(seen), ...cloudLines(seen), ""],
    pumps: seen.pumps.length === 0 ? [] : [...seen.pumps.map(pumpLine), ""],
    steps: [...steps, ""],
    verdict: verdictLines(seen),
    news: [
      ...(alert === undefined ? [] : [`${bold("Last alert")}  ${alert.text}`]),
      frame.note,
      dim("Ctrl-C stops everything; starting again goes on from here."),
    ],
  };
  // The line after the last is the cursor's.
  const lines = fit(
    full,
    { steps: [...steps.slice(state.done.length, state.done.length + 1), ""] },
    frame.heightRows - 1,
  );
  return lines.map((line) => clip(line, frame.widthChars));
}

/** The parts of the picture, from top to bottom. */
type Blocks = Readonly<
  Record<"title" | "places" | "state" | "pumps" | "steps" | "verdict" | "news", readonly string[]>
>;

/** What gives way first where the terminal is too low; the verdict is cut after that. */
const GIVES_WAY = ["places", "pumps", "steps"] as const;

function fit(full: Blocks, shorter: Partial<Blocks>, rowsMax: number): readonly string[] {
  let blocks = full;
  const linesOf = (some: Blocks): readonly string[] => Object.values(some).flat();
  for (const name of GIVES_WAY)
    if (linesOf(blocks).length > rowsMax) blocks = { ...blocks, [name]: shorter[name] ?? [] };
  // A large block that gave way may have made room for a small one again.
  for (const name of GIVES_WAY.toReversed()) {
    const restored = { ...blocks, [name]: full[name] };
    if (linesOf(restored).length <= rowsMax) blocks = restored;
  }
  const excess = linesOf(blocks).length - rowsMax;
  if (excess > 0)
    blocks = { ...blocks, verdict: blocks.verdict.slice(0, Math.max(0, blocks.verdict.length - excess)) };
  return linesOf(blocks).slice(0, rowsMax);
}

function gatewayLines({ gateway }: Observation): string[] {
  if (gateway === undefined) return [`${bold("Gateway")}   starting`];
  const model = gateway.version === undefined ? "none yet" : `${gateway.model} version ${gateway.version}`;
  return [
    `${bold("Gateway")}   ${number(gateway.readings)} readings (${number(gateway.readingsPerS)}/s), ` +
      `${number(gateway.acknowledged)} messages acknowledged after fsync, ${number(gateway.quarantined)} quarantined`,
    `          ${number(gateway.vectors)} windows, ${number(gateway.predictions)} predictions, model: ${model}`,
    `          ${number(gateway.batchesDelivered)} batches delivered, ${number(gateway.bytesWaiting)} bytes waiting`,
    ...gateway.problems.map((problem) => red(`          ${problem}`)),
  ];
}

function cloudLines({ cloud }: Observation): string[] {
  if (cloud === undefined) return [`${bold("Cloud")}     starting`];
  const tables = cloud.tables
    .filter(({ rows }) => rows > 0)
    .map(({ name, rows, version }) => `${name} ${number(rows)} (v${version})`);
  const progress =
    cloud.progress === undefined ? "" : ` ${bar(cloud.progress, 20)} ${Math.round(cloud.progress * 100)} %`;
  return [
    `${bold("Lake")}      ${tables.length === 0 ? "no rows yet" : tables.join(", ")}`,
    `${bold("Cloud")}     ${cloud.activity}${progress}`,
    ...cloud.problems.map((problem) => red(`          ${problem}`)),
  ];
}

function pumpLine({ device, score, threshold, version }: PumpView): string {
  const ratio = score / threshold;
  const shown = bar(Math.min(1, ratio / 2), 30);
  const text = `score ${score.toPrecision(3)}, threshold ${threshold.toPrecision(3)}, version ${version}`;
  return `  ${device.padEnd(8)} ${ratio >= 1 ? red(shown) : green(shown)} ${dim(text)}`;
}

function stepLine(text: string, position: number, doneCount: number): string {
  if (position < doneCount) return `  ${green("✓")} ${text}`;
  return position === doneCount ? `  ${bold("▸")} ${bold(text)}` : dim(`    ${text}`);
}

/** The newest comparison with its numbers. */
function verdictLines({ cloud }: Observation): string[] {
  const newest = cloud?.attempts[0];
  if (newest === undefined) return [];
  const version = newest.version === undefined ? "" : `: version ${newest.version}`;
  return [
    `${bold("Verdict")} of attempt ${newest.attempt} (${newest.trigger.replaceAll("_", " ")}): ` +
      bold(`${newest.decision.replaceAll("_", " ")}${version}`),
    ...newest.table.split("\n").map((line) => `  ${line}`),
    "",
  ];
}

function bar(share: number, widthChars: number): string {
  const full = Math.round(Math.max(0, Math.min(1, share)) * widthChars);
  return "█".repeat(full) + "░".repeat(widthChars - full);
}

/** Cuts a line to the terminal's width without counting or cutting colour codes. */
function clip(line: string, widthChars: number): string {
  let left = widthChars;
  let out = "";
  // oxlint-disable-next-line no-control-regex -- colour codes begin with the escape character
  for (const part of line.split(/(\u001b\[\d+m)/)) {
    if (part.startsWith("\u001b")) out += part;
    else {
      out += part.slice(0, left);
      left -= Math.min(left, part.length);
    }
  }
  return out;
}
