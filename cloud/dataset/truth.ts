import { NORMAL_LABEL, type Label } from "@sluice/shared/contract/label.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { compareText } from "./order.ts";

/** Most labels of one device: resolving them takes time that grows with their square, 0.5 s for so many. */
const DEVICE_LABELS_MAX = 10_000;

/** A stretch of a device's time in which one label holds. Half-open, in microseconds. */
interface Stretch {
  readonly fromUs: number;
  readonly toUs: number;
  readonly label: string;
}

/** Which label holds when, for each device; within a device the stretches are in time order and never overlap. */
export type Truth = ReadonlyMap<string, readonly Stretch[]>;

/**
 * Resolves labels that contradict each other: at each instant the label that became known last holds.
 *
 * Of two that became known together a fault wins over "normal" (a healthy row too few costs less than a faulty row
 * learned as healthy), then the name decides, so that the order of the input never does. Throws "dataset.too_large".
 */
export function resolveLabels(labels: readonly Label[]): Truth {
  const byDevice = Map.groupBy(
    labels.filter((label) => label.fromUs < label.toUs),
    (label) => label.device,
  );
  for (const [device, own] of byDevice)
    if (own.length > DEVICE_LABELS_MAX)
      throw new PipelineError("dataset.too_large", `device ${device} has ${own.length} labels`, {
        hint: `At most ${DEVICE_LABELS_MAX} are read; use fewer and longer ones, or a shorter history.`,
      });
  return new Map([...byDevice].map(([device, own]) => [device, resolveDevice(own)]));
}

function resolveDevice(labels: readonly Label[]): readonly Stretch[] {
  const strongestFirst = labels.toSorted(byStrength);
  const edges = [...new Set(labels.flatMap((label) => [label.fromUs, label.toUs]))].sort((a, b) => a - b);
  const stretches: Stretch[] = [];
  for (const [position, fromUs] of edges.entries()) {
    const toUs = edges[position + 1];
    const holder = strongestFirst.find((label) => label.fromUs <= fromUs && fromUs < label.toUs);
    if (toUs === undefined || holder === undefined) continue;
    const last = stretches.at(-1);
    if (last?.toUs === fromUs && last.label === holder.label)
      stretches[stretches.length - 1] = { ...last, toUs };
    else stretches.push({ fromUs, toUs, label: holder.label });
  }
  return stretches;
}

function byStrength(a: Label, b: Label): number {
  const fault = (label: Label): number => (label.label === NORMAL_LABEL ? 0 : 1);
  return b.knownAtUs - a.knownAtUs || fault(b) - fault(a) || compareText(a.label, b.label);
}

/**
 * The label of a window: the first fault that overlaps it, else "normal" where such a label overlaps it, else undefined.
 *
 * A window is faulty by its smallest overlap: a row with some fault in it must never be learned as healthy.
 */
export function labelOfWindow(
  truth: Truth,
  device: string,
  window: { readonly startUs: number; readonly endUs: number },
): string | undefined {
  const stretches = truth.get(device);
  if (stretches === undefined) return undefined;
  let label: string | undefined;
  for (let i = firstEndingAfter(stretches, window.startUs); i < stretches.length; i++) {
    const stretch = stretches[i];
    if (stretch === undefined || stretch.fromUs >= window.endUs) break;
    if (stretch.label !== NORMAL_LABEL) return stretch.label;
    label = stretch.label;
  }
  return label;
}

function firstEndingAfter(stretches: readonly Stretch[], us: number): number {
  let low = 0;
  let high = stretches.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((stretches[middle]?.toUs ?? Infinity) <= us) low = middle + 1;
    else high = middle;
  }
  return low;
}
