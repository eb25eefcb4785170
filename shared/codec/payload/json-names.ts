import { parsePath, valueAt } from "./dotted-path.ts";
import { showValue } from "./payload-decoder.ts";
import type { JsonPayloadSettings } from "./settings.ts";

/** Where a JSON record, or the message around it, says which device it is of. */
export class JsonDevice {
  readonly #name: string;
  readonly #path: readonly string[];

  constructor(path: string) {
    this.#name = path;
    this.#path = parsePath(path);
  }

  /** The device's name, a whole number as its decimal text; undefined where there is none. */
  nameOf(record: unknown, message: unknown): string | undefined {
    const found = this.#find(record, message);
    if (typeof found === "string") return found;
    return Number.isSafeInteger(found) ? String(found) : undefined;
  }

  explain(record: unknown, message: unknown): string {
    const found = this.#find(record, message);
    const what = found === undefined ? "is missing" : `is ${showValue(found)}`;
    return `The device field "${this.#name}" ${what}, not a name or a whole number.`;
  }

  #find(record: unknown, message: unknown): unknown {
    return valueAt(record, this.#path) ?? valueAt(message, this.#path);
  }
}

/** Where a JSON record says which units its values have. */
export class JsonUnits {
  readonly #unit: readonly string[] | undefined;
  readonly #byMetric: ReadonlyMap<string, readonly string[]>;

  constructor({ unit, units = {} }: Pick<JsonPayloadSettings, "unit" | "units">) {
    this.#unit = unit === undefined ? undefined : parsePath(unit);
    this.#byMetric = new Map(Object.entries(units).map(([metric, path]) => [metric, parsePath(path)]));
  }

  /** The unit of all values of a record. */
  ofRecord(record: unknown): string | undefined {
    return this.#unit === undefined ? undefined : unitText(valueAt(record, this.#unit));
  }

  /** The unit of one metric by itself. */
  of(metric: string, record: unknown): string | undefined {
    const path = this.#byMetric.get(metric);
    return path === undefined ? undefined : unitText(valueAt(record, path));
  }
}

/** What is no text is shown, so that it is refused as a unit that nobody knows and not taken for none. */
function unitText(found: unknown): string | undefined {
  if (found === undefined || found === null) return undefined;
  return typeof found === "string" ? found : showValue(found);
}
