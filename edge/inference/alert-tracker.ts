import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** What is known of a device that is under suspicion or in alarm; one of which nothing is known is normal. */
interface Suspicion {
  /** Anomalous windows in a row, up to the one that raises. */
  readonly anomalousCount: number;
  /** Normal windows in a row while in alarm. */
  readonly normalCount: number;
  readonly raised: boolean;
}

export interface AlertLimits {
  readonly raiseAfterWindows: number;
  readonly clearAfterWindows: number;
  readonly suspectDevicesMax: number;
}

const STATE_VERSION = 1;
const NORMAL: Suspicion = { anomalousCount: 0, normalCount: 0, raised: false };

/**
 * Turns verdicts on windows into alerts, per device: raised after so many anomalous windows in a row, cleared after so
 * many normal ones. A device that flickers between the two neither raises nor clears.
 */
export class AlertTracker {
  readonly #limits: AlertLimits;
  /** The longest unchanged first. Devices that are plainly normal are not in it. */
  readonly #suspicions = new Map<string, Suspicion>();
  #state: string | undefined;
  #forgottenCount = 0;

  constructor(limits: AlertLimits) {
    this.#limits = limits;
  }

  /** Devices whose suspicion or alarm was forgotten because there were more than `suspectDevicesMax`. */
  get forgottenCount(): number {
    return this.#forgottenCount;
  }

  get raisedCount(): number {
    let count = 0;
    for (const { raised } of this.#suspicions.values()) if (raised) count++;
    return count;
  }

  /** Takes the verdict on a device's next window; returns what it changes. */
  observe(device: string, anomalous: boolean): "raised" | "cleared" | undefined {
    const before = this.#suspicions.get(device) ?? NORMAL;
    const after = this.#next(before, anomalous);
    if (after === before) return undefined;
    this.#state = undefined;
    this.#suspicions.delete(device);
    if (after !== NORMAL) this.#suspicions.set(device, after);
    this.#forget();
    if (after.raised === before.raised) return undefined;
    return after.raised ? "raised" : "cleared";
  }

  #next(before: Suspicion, anomalous: boolean): Suspicion {
    const { raiseAfterWindows, clearAfterWindows } = this.#limits;
    if (before.raised) {
      if (anomalous) return before.normalCount === 0 ? before : { ...before, normalCount: 0 };
      const normalCount = before.normalCount + 1;
      return normalCount >= clearAfterWindows ? NORMAL : { ...before, normalCount };
    }
    if (!anomalous) return NORMAL;
    const anomalousCount = before.anomalousCount + 1;
    return { anomalousCount, normalCount: 0, raised: anomalousCount >= raiseAfterWindows };
  }

  #forget(): void {
    for (const device of this.#suspicions.keys()) {
      if (this.#suspicions.size <= this.#limits.suspectDevicesMax) return;
      this.#suspicions.delete(device);
      this.#forgottenCount++;
    }
  }

  /** Everything that `restore` needs, as text. Cheap while nothing changes. */
  state(): string {
    this.#state ??= JSON.stringify({
      version: STATE_VERSION,
      devices: [...this.#suspicions].map(([device, { anomalousCount, normalCount, raised }]) => [
        device,
        anomalousCount,
        normalCount,
        raised,
      ]),
    });
    return this.#state;
  }

  /** Goes on from what `state` gave. Throws PipelineError "inference.state_unreadable" and changes nothing then. */
  restore(state: string): void {
    const restored = parseState(state);
    this.#suspicions.clear();
    for (const [device, suspicion] of restored) this.#suspicions.set(device, suspicion);
    this.#state = undefined;
    this.#forget();
  }
}

function parseState(state: string): readonly (readonly [string, Suspicion])[] {
  let value: unknown;
  try {
    value = JSON.parse(state);
  } catch (cause) {
    throw unreadable("it is not JSON", cause);
  }
  if (typeof value !== "object" || value === null) throw unreadable("it is not an object");
  const version: unknown = Reflect.get(value, "version");
  if (version !== STATE_VERSION) throw unreadable(`its version is ${String(version)}, not ${STATE_VERSION}`);
  const devices: unknown = Reflect.get(value, "devices");
  if (!Array.isArray(devices)) throw unreadable("it has no devices");
  return devices.map((entry: unknown, i) => {
    const [device, anomalousCount, normalCount, raised] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof device !== "string" || !isCount(anomalousCount) || !isCount(normalCount))
      throw unreadable(`devices.${i} is ${JSON.stringify(entry)}`);
    if (typeof raised !== "boolean") throw unreadable(`devices.${i} is ${JSON.stringify(entry)}`);
    return [device, { anomalousCount, normalCount, raised }];
  });
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function unreadable(why: string, cause?: unknown): PipelineError {
  return new PipelineError("inference.state_unreadable", `the stored alert state cannot be read: ${why}`, {
    cause,
    hint: "The buffer was damaged or written by a newer version; without this state open alerts are forgotten.",
  });
}
