/** Samples that a rate looks back on: a minute at one a second. */
const SAMPLES_MAX = 61;

/** The rate of a growing counter over the last minute, from samples of it. */
export class RateMeter {
  readonly #samples: { readonly atUs: number; readonly total: number }[] = [];

  /**
   * Adds a sample and returns the rate per second since the oldest one that is remembered. A total that is less than
   * before is of a counter that began anew, with the buffer for one: the rate begins anew with it.
   */
  sample(total: number, atUs: number): number {
    if (total < (this.#samples.at(-1)?.total ?? total)) this.#samples.length = 0;
    this.#samples.push({ atUs, total });
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
    const oldest = this.#samples[0];
    if (oldest === undefined || atUs <= oldest.atUs) return 0;
    return ((total - oldest.total) * 1_000_000) / (atUs - oldest.atUs);
  }
}
