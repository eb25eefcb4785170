import type { FeatureView, FeatureWindow } from "@sluice/shared/contract/feature-view.ts";
import type { ModelDevice, ModelReading, ModelWindow } from "./model-device.ts";

export interface NextModelWindow {
  readonly startUs: number;
  readonly endUs: number;
  readonly dueUs: number;
  readonly cursorUs: number;
}

/** What the windows of one kind are. */
export interface ModelKind {
  begin(earliestUs: number): number;
  cursorAt(watermarkUs: number): number;
  /** The first window from the cursor on that has a reading. */
  next(device: ModelDevice): NextModelWindow | undefined;
  /** Whether a late reading comes when no window can take it any more. */
  isBeyond(device: ModelDevice, reading: ModelReading, finalUs: number): boolean;
  /** The closed windows that a reading belongs to, with those that it makes, which have revision -1. */
  place(device: ModelDevice, reading: ModelReading, finalUs: number): ModelWindow[];
}

type Of<K extends FeatureWindow["kind"]> = Extract<FeatureWindow, { kind: K }>;

export function modelKind({ window }: FeatureView): ModelKind {
  switch (window.kind) {
    case "tumbling":
      return aligned(window.sizeMs * 1_000, window.sizeMs * 1_000);
    case "hopping":
      return aligned(window.sizeMs * 1_000, window.hopMs * 1_000);
    case "sliding":
      return sliding(window);
    case "session":
      return session(window);
    case "count":
      return count(window);
  }
}

const floor = (timeUs: number, hopUs: number): number => Math.floor(timeUs / hopUs) * hopUs;
const ceil = (timeUs: number, hopUs: number): number => Math.ceil(timeUs / hopUs) * hopUs;
const made = (startUs: number, endUs: number): ModelWindow => ({ startUs, endUs, revision: -1, before: [] });

const covers = ({ startUs, endUs }: ModelWindow, timeUs: number): boolean =>
  startUs <= timeUs && timeUs < endUs;

function aligned(sizeUs: number, hopUs: number): ModelKind {
  const starts = (timeUs: number): number[] =>
    Array.from({ length: sizeUs / hopUs }, (_, i) => floor(timeUs, hopUs) - i * hopUs).reverse();
  return {
    begin: (earliestUs) => ceil(earliestUs, hopUs),
    cursorAt: (watermarkUs) => floor(watermarkUs, hopUs) + hopUs - sizeUs,
    next({ readings, cursorUs }) {
      const open = readings.flatMap(({ timeUs }) => starts(timeUs)).filter((startUs) => startUs >= cursorUs);
      const startUs = Math.min(...open);
      const endUs = startUs + sizeUs;
      return open.length === 0 ? undefined : { startUs, endUs, dueUs: endUs, cursorUs: startUs + hopUs };
    },
    isBeyond: (_, { timeUs }, finalUs) => floor(timeUs, hopUs) + sizeUs <= finalUs,
    place: ({ earliestUs, cursorUs, windows }, { timeUs }, finalUs) =>
      starts(timeUs)
        .filter((startUs) => startUs >= earliestUs && startUs < cursorUs && startUs + sizeUs > finalUs)
        .map(
          (startUs) =>
            windows.find((window) => window.startUs === startUs) ?? made(startUs, startUs + sizeUs),
        ),
  };
}

function sliding({ sizeMs, hopMs }: Of<"sliding">): ModelKind {
  const sizeUs = sizeMs * 1_000;
  const hopUs = hopMs === undefined ? 1 : hopMs * 1_000;
  const windowOf = (timeUs: number): ModelWindow => made(timeUs + 1 - sizeUs, timeUs + 1);
  return {
    begin: (earliestUs) => earliestUs + sizeUs - 1,
    cursorAt: (watermarkUs) => watermarkUs,
    next({ readings, cursorUs }) {
      const first = readings.find(({ timeUs }) => timeUs >= cursorUs);
      if (first === undefined) return undefined;
      const { startUs, endUs } = windowOf(first.timeUs);
      return { startUs, endUs, dueUs: endUs, cursorUs: floor(first.timeUs, hopUs) + hopUs };
    },
    isBeyond: (_, { timeUs }, finalUs) => timeUs + sizeUs <= finalUs,
    place(device, { timeUs }, finalUs) {
      const { windows } = device;
      const hopFromUs = floor(timeUs, hopUs);
      const isTaken = windows.some(({ endUs }) => endUs > hopFromUs && endUs <= hopFromUs + hopUs);
      const covering = windows.filter((window) => covers(window, timeUs) && window.endUs > finalUs);
      if (
        isTaken ||
        timeUs >= device.cursorUs ||
        hopFromUs < finalUs ||
        timeUs < device.earliestUs + sizeUs - 1
      )
        return covering;
      device.cursorUs = Math.max(device.cursorUs, hopFromUs + hopUs);
      return [windowOf(timeUs), ...covering];
    },
  };
}

function session({ sizeMs, gapMs }: Of<"session">): ModelKind {
  const sizeUs = sizeMs * 1_000;
  const gapUs = gapMs * 1_000;
  const joins = ({ startUs, endUs }: ModelWindow, timeUs: number): boolean =>
    timeUs >= startUs && (timeUs < endUs || (timeUs < endUs - 1 + gapUs && timeUs < startUs + sizeUs));
  return {
    begin: () => -Infinity,
    cursorAt: () => -Infinity,
    next({ readings, cursorUs }) {
      const open = readings.filter(({ timeUs }) => timeUs >= cursorUs);
      const [first] = open;
      if (first === undefined) return undefined;
      let lastUs = first.timeUs;
      for (const { timeUs } of open)
        if (timeUs < lastUs + gapUs && timeUs < first.timeUs + sizeUs) lastUs = timeUs;
      const dueUs = Math.min(lastUs + gapUs, first.timeUs + sizeUs);
      return { startUs: first.timeUs, endUs: lastUs + 1, dueUs, cursorUs: dueUs };
    },
    isBeyond({ readings, windows, cursorUs }, { timeUs }, finalUs) {
      if (timeUs >= finalUs) return false;
      const first = readings.find((reading) => reading.timeUs >= cursorUs);
      if (first !== undefined && timeUs >= cursorUs && timeUs > first.timeUs - gapUs) return false;
      return !windows.some(({ startUs, endUs }) => endUs > finalUs && startUs <= timeUs);
    },
    place({ windows, cursorUs }, { timeUs }, finalUs) {
      if (timeUs >= cursorUs) return [];
      const joined = windows
        .filter(({ endUs }) => endUs > finalUs)
        .findLast(({ startUs }) => startUs <= timeUs);
      if (joined === undefined || !joins(joined, timeUs)) return [made(timeUs, timeUs + 1)];
      joined.endUs = Math.max(joined.endUs, timeUs + 1);
      return [joined];
    },
  };
}

function count({ of, readings: size, hopReadings = size }: Of<"count">): ModelKind {
  return {
    begin: () => -Infinity,
    cursorAt: () => -Infinity,
    next({ readings, windows, cursorUs }) {
      const open = readings.filter(({ metric, timeUs }) => metric === of && timeUs >= cursorUs);
      const [first] = open;
      if (first === undefined) return undefined;
      const closedUs = Math.max(...windows.map(({ endUs }) => endUs));
      const isFull = open.length >= size;
      const nthUs = (isFull ? open[size - 1] : open.at(-1))?.timeUs ?? 0;
      const endUs = Math.max(nthUs + 1, closedUs);
      return {
        startUs: first.timeUs,
        endUs,
        dueUs: isFull ? endUs : Infinity,
        cursorUs: (isFull ? (open[hopReadings - 1]?.timeUs ?? 0) : nthUs) + 1,
      };
    },
    isBeyond({ readings, windows, cursorUs }, { timeUs }, finalUs) {
      const open = readings.find((reading) => reading.metric === of && reading.timeUs >= cursorUs);
      const kept = windows.find(({ endUs }) => endUs > finalUs);
      return timeUs < Math.min(finalUs, open?.timeUs ?? Infinity, kept?.startUs ?? Infinity);
    },
    place({ windows, cursorUs }, { metric, timeUs }, finalUs) {
      const kept = windows.filter(({ endUs }) => endUs > finalUs);
      const covering = kept.filter((window) => covers(window, timeUs));
      const earlier = kept.findLast(({ startUs }) => startUs <= timeUs);
      if (covering.length > 0 || earlier === undefined || metric !== of || timeUs >= cursorUs)
        return covering;
      earlier.endUs = timeUs + 1;
      return [earlier];
    },
  };
}
