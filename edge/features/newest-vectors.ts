import { CLOSINGS, type FeatureVector } from "@sluice/shared/contract/vector.ts";

/** Most devices of one view that are remembered, as many as an engine holds windows for. */
const DEVICES_MAX = 65_536;

/** Columns before the values: window start and end, revision, closed at, closed by, reading count, withheld. */
const FACTS = 7;

/** As in a checkpoint; made of plain values and typed arrays. */
export interface NewestState {
  readonly views: readonly {
    readonly hash: string;
    readonly devices: readonly string[];
    readonly columns: number;
    readonly numbers: Float64Array;
    readonly violations: ReadonlyMap<string, readonly string[]>;
  }[];
}

/** The newest vector of one device, without what its view says already. Values are NaN where there is none. */
export interface NewestVector extends Pick<
  FeatureVector,
  | "windowStartUs"
  | "windowEndUs"
  | "revision"
  | "closedAtUs"
  | "closedBy"
  | "readingCount"
  | "violations"
  | "withheld"
> {
  readonly values: Float64Array;
}

/** One view's, a row per device. */
class ViewRows {
  readonly rows: Map<string, number>;
  readonly columns: number;
  readonly violations: Map<string, readonly string[]>;
  #numbers: Float64Array;

  constructor(columns: number, from?: NewestState["views"][number]) {
    this.columns = columns;
    this.rows = new Map(from?.devices.map((device, row) => [device, row]));
    this.violations = new Map(from?.violations);
    this.#numbers = from?.numbers ?? new Float64Array(16 * columns);
  }

  put(vector: FeatureVector): void {
    const known = this.rows.get(vector.device);
    const row = known ?? this.#add(vector.device);
    if (row === undefined) return;
    const at = row * this.columns;
    const numbers = this.#numbers;
    const newestEndUs = known === undefined ? -Infinity : (numbers[at + 1] ?? -Infinity);
    // A revision of an older window is older; a device that began anew gives the same window under a later number.
    // Where the newest begins after this one was known, its clock was ahead then, and has been put right since.
    const wasAhead = vector.revision === 0 && (numbers[at] ?? -Infinity) > vector.closedAtUs;
    if (vector.windowEndUs < newestEndUs && !wasAhead) return;
    numbers[at] = vector.windowStartUs;
    numbers[at + 1] = vector.windowEndUs;
    numbers[at + 2] = vector.revision;
    numbers[at + 3] = vector.closedAtUs;
    numbers[at + 4] = CLOSINGS.indexOf(vector.closedBy);
    numbers[at + 5] = vector.readingCount;
    numbers[at + 6] = Number(vector.withheld);
    for (const [i, value] of vector.values.entries()) numbers[at + FACTS + i] = value ?? Number.NaN;
    if (vector.violations.length > 0) this.violations.set(vector.device, vector.violations);
    else this.violations.delete(vector.device);
  }

  get(device: string): NewestVector | undefined {
    const row = this.rows.get(device);
    if (row === undefined) return undefined;
    const at = row * this.columns;
    const number = (place: number): number => this.#numbers[at + place] ?? Number.NaN;
    return {
      windowStartUs: number(0),
      windowEndUs: number(1),
      revision: number(2),
      closedAtUs: number(3),
      closedBy: CLOSINGS[number(4)] ?? "watermark",
      readingCount: number(5),
      withheld: number(6) === 1,
      violations: this.violations.get(device) ?? [],
      values: this.#numbers.slice(at + FACTS, at + this.columns),
    };
  }

  state(hash: string): NewestState["views"][number] {
    const { rows, columns, violations } = this;
    const numbers = this.#numbers.subarray(0, rows.size * columns);
    return { hash, devices: [...rows.keys()], columns, numbers, violations };
  }

  #add(device: string): number | undefined {
    const row = this.rows.size;
    if (row >= DEVICES_MAX) return undefined; // The engine has no windows for it either, and counts it.
    if ((row + 1) * this.columns > this.#numbers.length) {
      const grown = new Float64Array(this.#numbers.length * 2);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.rows.set(device, row);
    return row;
  }
}

/**
 * The newest vector of each device and view: what the gateway serves while it is offline too.
 *
 * Newest is the window that ends last, and of its revisions the last. Memory: 8 bytes for each feature and device,
 * and about 150 for the device.
 */
export class NewestVectors {
  readonly #views = new Map<string, ViewRows>();

  put(vectors: readonly FeatureVector[]): void {
    for (const vector of vectors) {
      let view = this.#views.get(vector.viewHash);
      if (view === undefined) {
        view = new ViewRows(FACTS + vector.values.length);
        this.#views.set(vector.viewHash, view);
      }
      view.put(vector);
    }
  }

  get(viewHash: string, device: string): NewestVector | undefined {
    return this.#views.get(viewHash)?.get(device);
  }

  /** Forgets every view but these. */
  keep(hashes: ReadonlySet<string>): void {
    for (const hash of this.#views.keys()) if (!hashes.has(hash)) this.#views.delete(hash);
  }

  /** For a checkpoint; to be written before the next `put`. */
  state(): NewestState {
    return { views: [...this.#views].map(([hash, view]) => view.state(hash)) };
  }

  static restore({ views }: NewestState): NewestVectors {
    const newest = new NewestVectors();
    for (const view of views) newest.#views.set(view.hash, new ViewRows(view.columns, view));
    return newest;
  }
}
