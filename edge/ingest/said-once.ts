/** Most keys of one kind that are remembered: a flood of names fills neither memory nor log, nor hides other kinds. */
const KEYS_MAX = 200;

/** Remembers what was already said, so that a log line comes once per client and not once per message. */
export class SaidOnce {
  readonly #kinds = new Map<string, Set<string>>();

  /** Whether this is the first time that the key comes; its first word is its kind. */
  isFirst(key: string): boolean {
    const kind = key.split(" ", 1)[0] ?? "";
    const keys = this.#kinds.get(kind) ?? new Set();
    this.#kinds.set(kind, keys);
    if (keys.has(key) || keys.size >= KEYS_MAX) return false;
    keys.add(key);
    return true;
  }
}
