import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { PipelineError } from "./errors.ts";

/** A schema's answer to an input: the settings, or every mistake. */
export interface SettingsAnswer<T> {
  readonly data?: T | undefined;
  readonly error?: { readonly issues: readonly SettingsIssue[] } | undefined;
}

/**
 * Reads a settings file: YAML, with `${NAME}` taken from `environment` where it is set there.
 *
 * Throws PipelineError "config.unreadable", "config.malformed", or "config.invalid" whose message lists every
 * mistake, one a line.
 */
export function readSettingsFile<T>(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
  check: (input: unknown) => SettingsAnswer<T>,
): T {
  const input = parseFile(path, environment);
  const { data, error } = check(input);
  if (data !== undefined) return data;
  const lines = describeIssues(error?.issues ?? [], input);
  const count = lines.length === 1 ? "one setting is wrong" : `${lines.length} settings are wrong`;
  throw new PipelineError("config.invalid", `${path}: ${count}\n  ${lines.join("\n  ")}\n`);
}

function parseFile(path: string, environment: Readonly<Record<string, string | undefined>>): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new PipelineError("config.unreadable", `cannot read ${path}`, {
      cause,
      hint: "Give the path of a settings file; the command `config sample` prints one.",
    });
  }
  try {
    const filled = text.replaceAll(
      /\$\{([A-Z_][A-Z0-9_]*)\}/g,
      (whole, name: string) => environment[name] ?? whole,
    );
    // A section whose every line is commented out is null in YAML and means the defaults.
    return parseYaml(filled, (_key, value: unknown) => (value === null ? {} : value));
  } catch (cause) {
    throw new PipelineError("config.malformed", `${path} is not YAML`, { cause });
  }
}

/** What a schema library says of one mistake. */
export interface SettingsIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

/** Every mistake in a settings file as one line each: path, value, what is allowed. */
export function describeIssues(issues: readonly SettingsIssue[], input: unknown): readonly string[] {
  return issues.flatMap((issue) => {
    const path = issue.path.map(String).join(".") || "(the file)";
    if (issue.keys !== undefined)
      return issue.keys.map((key) => `${path === "(the file)" ? key : `${path}.${key}`}: no such setting`);
    return [`${path}: ${showValue(valueAt(input, issue.path))}: ${issue.message}`];
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
