import type { FeatureView } from "@sluice/shared/contract/feature-view.ts";
import type { Closing } from "@sluice/shared/contract/vector.ts";
import type { ModelDevice, ModelReading, ModelWindow } from "./model-device.ts";
import type { TestReading } from "./readings.ts";
import { type ModelKind, modelKind } from "./window-model-kinds.ts";

/** What the model says of a vector of a view with the features count, sum, first and deviation of metric "a". */
export interface ModelVector {
  readonly device: string;
  readonly startUs: number;
  readonly endUs: number;
  readonly revision: number;
  readonly offset: number;
  readonly closedBy: Closing;
  readonly values: readonly (number | undefined)[];
}

/** Readings of one message and what arrived with it. */
interface Message {
  readonly offset: number;
  readonly readings: readonly TestReading[];
}

const US = 1_000;

/**
 * The windows as their definition says, without any care for speed: nothing is forgotten, nothing is shared, and every
 * question goes through all readings. Values must be small whole numbers, so that sums are exact in any order.
 */
export function modelVectors(view: FeatureView, readings: readonly TestReading[]): ModelVector[] {
  const model = new WindowModel(view);
  const offsets = readings.map((reading, i) => reading.offset ?? i);
  return [...new Set(offsets)].flatMap((offset) =>
    model.take({ offset, readings: readings.filter((_, i) => offsets[i] === offset) }),
  );
}

class WindowModel {
  readonly #devices = new Map<string, ModelDevice>();
  readonly #kind: ModelKind;
  readonly #latenessUs: number;
  readonly #correctionUs: number;
  readonly #idleAfterUs: number;
  #nowUs = 0;
  #arrivedAtUs: number | undefined;

  constructor(view: FeatureView) {
    this.#kind = modelKind(view);
    this.#latenessUs = view.window.allowedLatenessMs * US;
    this.#correctionUs = view.window.correctionMs * US;
    this.#idleAfterUs = (view.window.idleAfterMs ?? Infinity) * US;
  }

  take({ offset, readings }: Message): ModelVector[] {
    const made = this.#pass((readings[0]?.receivedAtMs ?? offset * US) * US);
    const names = [...new Set(readings.map(({ device = "p1" }) => device))];
    for (const name of names) {
      const device = this.#device(name);
      device.heardUs = this.#nowUs;
      made.push(
        ...this.#message(
          device,
          readings.filter(({ device: own = "p1" }) => own === name),
        ),
      );
    }
    return made.map((vector) => ({ ...vector, offset }));
  }

  /** Time passes: the windows of who was silent for so long close, longest silent first. */
  #pass(arrivedAtUs: number): Made[] {
    this.#nowUs += Math.max(0, arrivedAtUs - (this.#arrivedAtUs ?? arrivedAtUs));
    this.#arrivedAtUs = arrivedAtUs;
    const silent = [...this.#devices.values()]
      .filter(({ heardUs = Infinity }) => this.#nowUs - heardUs >= this.#idleAfterUs)
      .sort((a, b) => (a.heardUs ?? 0) - (b.heardUs ?? 0));
    return silent.flatMap((device) => {
      device.heardUs = undefined;
      return this.#close(device, Infinity, "idle");
    });
  }

  #device(name: string): ModelDevice {
    const device = this.#devices.get(name) ?? {
      name,
      readings: [],
      windows: [],
      earliestUs: Infinity,
      newestUs: -Infinity,
      cursorUs: -Infinity,
      means: [],
      heardUs: undefined,
    };
    this.#devices.delete(name); // To the end: equally silent devices close in the order in which they were heard.
    this.#devices.set(name, device);
    return device;
  }

  #message(device: ModelDevice, readings: readonly TestReading[]): Made[] {
    const watermarkUs = device.newestUs - this.#latenessUs;
    const finalUs = watermarkUs - this.#correctionUs;
    const late: ModelReading[] = [];
    for (const { metric = "a", atMs, value = 0 } of readings) {
      const reading = { metric, timeUs: Math.round(atMs * US), value };
      if (reading.timeUs < watermarkUs) {
        device.cursorUs = Math.max(device.cursorUs, this.#kind.cursorAt(watermarkUs));
        if (this.#kind.isBeyond(device, reading, finalUs)) continue;
      } else if (reading.timeUs < device.earliestUs && device.windows.length === 0) {
        device.earliestUs = reading.timeUs;
        device.cursorUs = this.#kind.begin(reading.timeUs);
      }
      device.readings.push(reading);
      device.readings.sort((a, b) => a.timeUs - b.timeUs);
      device.newestUs = Math.max(device.newestUs, reading.timeUs);
      late.push(reading);
    }
    const made = this.#revise(device, late, finalUs);
    const afterUs = device.newestUs - this.#latenessUs;
    made.push(...this.#close(device, afterUs, "watermark"));
    device.cursorUs = Math.max(device.cursorUs, this.#kind.cursorAt(afterUs));
    return made;
  }

  #revise(device: ModelDevice, readings: readonly ModelReading[], finalUs: number): Made[] {
    const revised = new Set<ModelWindow>();
    for (const reading of readings.toSorted(
      (a, b) => a.timeUs - b.timeUs || a.metric.localeCompare(b.metric),
    ))
      for (const window of this.#kind.place(device, reading, finalUs)) {
        if (!device.windows.includes(window)) {
          const next = device.windows.find(({ startUs }) => startUs > window.startUs);
          window.before = next?.before ?? device.means;
          device.windows.push(window);
          device.windows.sort((a, b) => a.startUs - b.startUs);
        }
        revised.add(window);
      }
    return [...revised]
      .sort((a, b) => a.startUs - b.startUs)
      .map((window) => {
        window.revision += 1;
        return this.#vector(device, window, "watermark");
      });
  }

  #close(device: ModelDevice, watermarkUs: number, closedBy: Closing): Made[] {
    const made: Made[] = [];
    for (;;) {
      const next = this.#kind.next(device);
      if (next === undefined || next.dueUs > watermarkUs) return made;
      device.cursorUs = next.cursorUs;
      const { startUs, endUs } = next;
      const window = { startUs, endUs, revision: 0, before: device.means };
      device.windows.push(window);
      made.push(this.#vector(device, window, closedBy));
      const own = within(device, window).filter(({ metric }) => metric === "a");
      if (own.length > 0) device.means = [...device.means, sum(own) / own.length];
    }
  }

  #vector(device: ModelDevice, window: ModelWindow, closedBy: Closing): Made {
    const { startUs, endUs, revision, before } = window;
    const values = valuesOf(within(device, window), before);
    return { device: device.name, startUs, endUs, revision, closedBy, values };
  }
}

type Made = Omit<ModelVector, "offset">;

const within = ({ readings }: ModelDevice, { startUs, endUs }: ModelWindow): ModelReading[] =>
  readings.filter(({ timeUs }) => timeUs >= startUs && timeUs < endUs);

const sum = (readings: readonly ModelReading[]): number =>
  readings.reduce((total, { value }) => total + value, 0);

function valuesOf(held: readonly ModelReading[], means: readonly number[]): (number | undefined)[] {
  const own = held.filter(({ metric }) => metric === "a");
  const mean = own.length === 0 ? undefined : sum(own) / own.length;
  const cumulative = means.length === 0 ? undefined : means.reduce((a, b) => a + b, 0) / means.length;
  return [
    own.length,
    mean === undefined ? undefined : sum(own),
    own[0]?.value,
    mean === undefined || cumulative === undefined ? undefined : mean - cumulative,
  ];
}
