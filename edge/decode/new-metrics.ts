import type { NewEvent } from "@sluice/shared/contract/event.ts";
import type { Place } from "./watch-events.ts";

/** Most metrics that are told as new in an epoch: about 100 bytes each in a checkpoint. */
export const NEW_METRICS_MAX = 4_096;

/** A metric of a device type, under the key by which it is remembered. */
export interface UnlistedMetric {
  readonly key: string;
  readonly deviceType: string;
  readonly metric: string;
  /** The generation in which it was last found to be remembered. */
  knownIn: number;
}

/** Remembers which metrics were accepted though no contract lists them, so that each is told once in an epoch. */
export class NewMetrics {
  readonly #known = new Set<string>();
  readonly #tell: (event: NewEvent) => void;
  /** Changes with each restore, so that nobody takes a metric for known that was known before. */
  #generation = 0;
  #told = 0;
  #untold = 0;

  constructor(tell: (event: NewEvent) => void) {
    this.#tell = tell;
  }

  /** Whether the metric need not be noticed any more. */
  isKnown({ knownIn }: UnlistedMetric): boolean {
    return knownIn === this.#generation;
  }

  /** Takes note of a reading of an unlisted metric. */
  notice(unlisted: UnlistedMetric, device: string, { offset, receivedAtUs }: Place): void {
    if (this.#known.has(unlisted.key)) {
      unlisted.knownIn = this.#generation;
      return;
    }
    if (this.#known.size >= NEW_METRICS_MAX) {
      this.#untold += 1;
      return;
    }
    this.#known.add(unlisted.key);
    this.#told += 1;
    const { deviceType, metric } = unlisted;
    this.#tell({
      kind: "schema.new_metric",
      atUs: receivedAtUs,
      device,
      metric,
      offsets: { from: offset, through: offset },
      count: 1,
      detail: `The contract of ${deviceType} does not list "${metric}", which "${device}" was the first to send: it is accepted.`,
      facts: { deviceType },
    });
  }

  /** Since the last time: metrics that were told as new, and readings of more metrics than are remembered. */
  finish(): { readonly told: number; readonly untold: number } {
    const finished = { told: this.#told, untold: this.#untold };
    this.#told = 0;
    this.#untold = 0;
    return finished;
  }

  state(): readonly string[] {
    return [...this.#known];
  }

  restore(known: readonly string[]): void {
    this.#known.clear();
    this.#generation += 1;
    for (const key of known) this.#known.add(key);
  }
}
