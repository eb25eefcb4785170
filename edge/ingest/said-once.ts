/** Most keys that are remembered: beyond it nothing new is said, so that a flood of names cannot fill memory or log. */
const KEYS_MAX = 1_000;

/** Remembers what was already said, so that a log line comes once per client and not once per message. */
export class SaidOnce {
  readonly #keys = new Set<string>();

  /** Whether this is the first time that the key comes. */
  isFirst(key: string): boolean {
    if (this.#keys.has(key) || this.#keys.size >= KEYS_MAX) return false;
    this.#keys.add(key);
    return true;
  }
}
