import type { FunctionFeature } from "../contract/feature-view.ts";
import type { FeatureFunction, FunctionSettings, NumberSetting, SettingRule } from "./functions/function.ts";
import type { ViewIssue } from "./view-error.ts";

/** What a feature says to its function: its `with`, and its `from` under that name. */
function saidOf(feature: FunctionFeature): FunctionSettings {
  return { ...feature.with, ...(feature.from === undefined ? {} : { from: feature.from }) };
}

/** The settings of a feature with the defaults in place, for a feature that `checkSettings` finds in order. */
export function settingsOf(feature: FunctionFeature, fn: FeatureFunction): FunctionSettings {
  const defaults = Object.entries(fn.settings ?? {}).flatMap(([name, rule]) =>
    rule.default === undefined ? [] : [[name, rule.default] as const],
  );
  return { ...Object.fromEntries(defaults), ...saidOf(feature) };
}

/** Settings that a function does not have, lacks or cannot take; what does not go together only if each is right. */
export function checkSettings(feature: FunctionFeature, fn: FeatureFunction): ViewIssue[] {
  const rules = fn.settings ?? {};
  const said = saidOf(feature);
  const takes = Object.keys(rules).filter((name) => name !== "from");
  const issues: ViewIssue[] = Object.keys(feature.with ?? {})
    // Own members only: "constructor" is a valid name and every object has one.
    .filter((name) => name === "from" || !Object.hasOwn(rules, name))
    .map((name) => ({
      path: ["with", name],
      message:
        name === "from" && Object.hasOwn(rules, name)
          ? "stands beside `with`, not in it"
          : `${fn.name} has no such setting; it takes ${takes.join(", ") || "none"}`,
    }));
  if (feature.from !== undefined && !Object.hasOwn(rules, "from"))
    issues.push({ path: ["from"], message: `${fn.name} is measured from nothing` });
  for (const [name, rule] of Object.entries(rules)) {
    const wrong = refuseSetting(fn.name, rule, Object.hasOwn(said, name) ? said[name] : undefined);
    if (wrong !== undefined)
      issues.push({ path: name === "from" ? ["from"] : ["with", name], message: wrong });
  }
  const together = issues.length === 0 ? fn.refuse?.(settingsOf(feature, fn)) : undefined;
  return together === undefined ? issues : [...issues, { path: ["with"], message: together }];
}

/** Why a function cannot take a setting. */
function refuseSetting(
  fn: string,
  rule: SettingRule,
  value: number | string | undefined,
): string | undefined {
  if (value === undefined && (rule.optional === true || rule.default !== undefined)) return undefined;
  const needs = `${fn} needs ${"refuse" in rule ? rule.says : describeNumber(rule)}`;
  if (value === undefined) return `is missing; ${needs}`;
  if ("refuse" in rule) {
    if (typeof value === "number") return `is the number ${value}; ${needs}`;
    const reason = rule.refuse(value);
    return reason === undefined ? undefined : `"${value}" ${reason}`;
  }
  if (typeof value === "string") return `is the text "${value}"; ${needs}`;
  const inRange = value >= rule.min && value <= rule.max && (rule.whole !== true || Number.isInteger(value));
  return inRange ? undefined : `is ${value}; ${needs}`;
}

function describeNumber({ min, max, whole }: NumberSetting): string {
  const what = whole === true ? "a whole number" : "a number";
  const from = min === -Number.MAX_VALUE ? "" : ` from ${min}`;
  return `${what}${from}${max === Number.MAX_VALUE ? "" : ` to ${max}`}`;
}
