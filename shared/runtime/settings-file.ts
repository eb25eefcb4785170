import { readFileSync } from "node:fs";
import { type Document, isScalar, parseDocument, visit } from "yaml";
import { PipelineError } from "./errors.ts";
import { describeIssues, SECRET, type SettingsIssue } from "./settings-issues.ts";

/** A schema's answer to an input: the settings, or every mistake. */
export interface SettingsAnswer<T> {
  readonly data?: T | undefined;
  readonly error?: { readonly issues: readonly SettingsIssue[] } | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads a settings file: YAML, in which `${NAME}` stands for a variable of `environment`, whatever characters that has.
 *
 * A variable is a string, but alone and without quotes also a number or a boolean where it reads as one.
 *
 * Throws PipelineError "config.unreadable", "config.malformed", "config.variable_missing", or "config.invalid" whose
 * message lists every mistake, one a line.
 */
export function readSettingsFile<T>(
  path: string,
  environment: Environment,
  check: (input: unknown) => SettingsAnswer<T>,
): T {
  const input = parseFile(path, environment);
  const { data, error } = check(input);
  if (data !== undefined) return data;
  const lines = describeIssues(error?.issues ?? [], input);
  const count = lines.length === 1 ? "one setting is wrong" : `${lines.length} settings are wrong`;
  throw new PipelineError("config.invalid", `${path}: ${count}\n  ${lines.join("\n  ")}\n`);
}

function parseFile(path: string, environment: Environment): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new PipelineError("config.unreadable", `cannot read ${path}`, {
      cause,
      hint: "Give the path of a settings file; the command `config sample` prints one.",
    });
  }
  // Filled in after parsing: a secret may hold what YAML would read as a comment, or show in a complaint.
  const document = parseDocument(text.replaceAll(/\$\{([A-Z_][A-Z0-9_]*)\}/g, "\ue000$1\ue001"));
  const [cause] = document.errors;
  if (cause !== undefined) throw new PipelineError("config.malformed", `${path} is not YAML`, { cause });
  const missing = fillVariables(document, environment);
  if (missing.length > 0)
    throw new PipelineError("config.variable_missing", `${path} names ${missing.join(", ")}`, {
      hint: "Set each of them in the environment.",
    });
  // A section whose every line is commented out is null in YAML and means the defaults.
  return document.toJS({ reviver: (_key: unknown, value: unknown) => (value === null ? {} : value) });
}

/** Puts the environment's variables into the document's strings. Returns the names of those that are not set. */
function fillVariables(document: Document, environment: Environment): readonly string[] {
  const missing = new Set<string>();
  visit(document, {
    Scalar: (_key, node) => {
      const { value } = node;
      if (typeof value !== "string" || !value.includes("\ue000")) return;
      const filled = value.replaceAll(/\ue000(\w+)\ue001/g, (_whole, name: string) => {
        if (environment[name] === undefined) missing.add(name);
        return environment[name] ?? "";
      });
      const isAlone = isScalar(node) && node.type === "PLAIN" && /^\ue000\w+\ue001$/.test(value);
      node.value =
        isAlone && /^(true|false|-?(0|[1-9]\d*)(\.\d+)?)$/.test(filled) ? JSON.parse(filled) : filled;
    },
  });
  return [...missing];
}

/** Settings as JSON in which nothing is shown that is secret by its name, or stands in a URL before its host. */
export function showSettings(settings: unknown): string {
  const shown = (key: string, value: unknown): unknown => {
    if (typeof value !== "string") return value;
    return SECRET.test(key) ? "(hidden)" : value.replace(/^([a-z]+:\/\/)[^/@\s]+@/, "$1(hidden)@");
  };
  return JSON.stringify(settings, shown, 2);
}
