/** What a schema library says of one mistake. */
export interface SettingsIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

/** Names of settings whose values are not for logs. */
export const SECRET = /secret|password|token/i;

/** Every mistake in a settings file as one line each: path, value, what is allowed. */
export function describeIssues(issues: readonly SettingsIssue[], input: unknown): readonly string[] {
  return issues.flatMap((issue) => {
    const path = issue.path.map(String).join(".") || "(the file)";
    if (issue.keys !== undefined)
      return issue.keys.map((key) => `${path === "(the file)" ? key : `${path}.${key}`}: no such setting`);
    const value = valueAt(input, issue.path);
    const shown = value !== undefined && SECRET.test(path) ? "(hidden)" : showValue(value);
    return [`${path}: ${shown}: ${issue.message}`];
  });
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = input;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

function showValue(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
