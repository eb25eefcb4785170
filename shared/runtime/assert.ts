/** A promise of ours: when it is broken the process must stop, because what it would write next cannot be trusted. */
export function assert(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new Error(`broken promise: ${promise}`);
}

/** The value, which by our own promise is there. */
export function present<T>(value: T | undefined | null, promise: string): T {
  if (value === undefined || value === null) throw new Error(`broken promise: ${promise}`);
  return value;
}
