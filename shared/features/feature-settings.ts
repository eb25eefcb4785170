import type { FunctionFeature } from "../contract/feature-view.ts";
import type { FeatureFunction, FunctionSettings, SettingRule } from "./functions/function.ts";
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
    const wrong = refuseSetting(rule, Object.hasOwn(said, name) ? said[name] : undefined);
    if (wrong === undefined) continue;
    issues.push({
      path: name === "from" ? ["from"] : ["with", name],
      message: `${wrong}; ${fn.name} needs ${describeSetting(rule)}`,
    });
  }
  const together = issues.length === 0 ? fn.refuse?.(settingsOf(feature, fn)) : undefined;
  return together === undefined ? issues : [...issues, { path: ["with"], message: together }];
}

function refuseSetting(rule: SettingRule, value: number | string | undefined): string | undefined {
  if (value === undefined)
    return rule.optional === true || rule.default !== undefined ? undefined : "is missing";
  if ("refuse" in rule) {
    if (typeof value !== "string") return `is the number ${value}`;
    const reason = rule.refuse(value);
    return reason === undefined ? undefined : `"${value}" ${reason}`;
  }
  if (typeof value === "string") return `is the text "${value}"`;
  if (value < rule.min || value > rule.max) return `is ${value}`;
  return rule.whole === true && !Number.isInteger(value) ? `is ${value}` : undefined;
}

/** What may be given for a setting. */
function describeSetting(rule: SettingRule): string {
  if ("refuse" in rule) return rule.says;
  const what = rule.whole === true ? "a whole number" : "a number";
  const from = rule.min === -Number.MAX_VALUE ? "" : ` from ${rule.min}`;
  return `${what}${from}${rule.max === Number.MAX_VALUE ? "" : `${from === "" ? " up" : ""} to ${rule.max}`}`;
}
