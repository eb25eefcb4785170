/** The keys of a dotted path: "pump.flow" has two; a backslash makes the dot after it part of a key. */
export function parsePath(path: string): readonly string[] {
  const keys = path.match(/(?:\\.|[^.\\])+/g) ?? [];
  return keys.map((key) => key.replaceAll(/\\(.)/g, "$1"));
}

/**
 * What is at a path of a JSON value; undefined where there is nothing. A number goes into an array.
 *
 * Only own members count, so that "__proto__" and "constructor" are names like any other.
 */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const key of path) found = member(found, key);
  return found;
}

/** One member of an object or an array; undefined where there is none. */
export function member(value: unknown, key: string): unknown {
  if (isObject(value)) return Object.hasOwn(value, key) ? value[key] : undefined;
  if (Array.isArray(value) && /^\d{1,6}$/.test(key)) return value[Number(key)];
  return undefined;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
