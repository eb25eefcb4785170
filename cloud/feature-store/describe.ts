import type { Feature, FeatureView } from "@sluice/shared/contract/feature-view.ts";
import { deriveUnits } from "@sluice/shared/features/check-units.ts";
import { unitText } from "@sluice/shared/features/unit.ts";
import { coreHash } from "./duplicates.ts";

/** How a feature is computed, in words: `rms of accel`, `a / (b + 1)`. Pure. */
export function describeFeature(feature: Feature): string {
  if ("expr" in feature) return feature.expr;
  const inputs = [feature.of ?? []].flat();
  const settings = Object.entries(feature.with ?? {}).map(([name, value]) => `${name} ${value}`);
  return [
    feature.fn,
    ...(inputs.length === 0 ? [] : [`of ${inputs.join(" and ")}`]),
    ...(feature.from === undefined ? [] : [`from ${feature.from}`]),
    ...(settings.length === 0 ? [] : [`with ${settings.join(", ")}`]),
  ].join(" ");
}

/** The unit of each feature, as the view states it or as it follows from its inputs. Pure. */
export function unitsOf(view: FeatureView): readonly (string | undefined)[] {
  const { units } = deriveUnits(view);
  return view.features.map(({ unit }, place) => {
    const derived = units[place];
    return unit ?? (derived === undefined ? undefined : unitText(derived));
  });
}

/** The metrics that a feature comes from, through the inputs and the features that it names. Pure. */
export function metricsOf(
  view: FeatureView,
  feature: Feature,
  seen: readonly string[] = [],
): readonly string[] {
  if (seen.includes(feature.name)) return [];
  const names =
    "expr" in feature ? (feature.expr.match(/[a-z][a-z0-9_]*/g) ?? []) : [feature.of ?? []].flat();
  const metrics = names.flatMap((name) => {
    const input = Object.hasOwn(view.inputs, name) ? view.inputs[name] : undefined;
    if (input !== undefined && !("expr" in feature)) return [input.metric];
    const other = view.features.find((one) => one.name === name);
    return other === undefined ? [] : metricsOf(view, other, [...seen, feature.name]);
  });
  return [...new Set(metrics)];
}

/** What is different in view `b` against view `a`, a line each; none where both compute and say the same. Pure. */
export function diffViews(a: FeatureView, b: FeatureView): readonly string[] {
  const plain: (keyof FeatureView)[] = ["name", "owner", "description", "entity", "ttlMs"];
  const lines = [
    ...plain.flatMap((key) => changed(key, a[key], b[key])),
    ...changed("match.deviceType", a.match.deviceType, b.match.deviceType),
    ...diffMembers("window", a.window, b.window),
    ...diffMembers("breaker", a.breaker ?? {}, b.breaker ?? {}),
    ...diffNamed("input", new Map(Object.entries(a.inputs)), new Map(Object.entries(b.inputs))),
    ...diffNamed("feature", byName(a), byName(b)),
    ...diffOrder(a, b),
  ];
  return lines.length > 0 && coreHash(a) === coreHash(b)
    ? [...lines, "Both compute the same: only names or descriptions differ."]
    : lines;
}

const byName = (view: FeatureView): ReadonlyMap<string, object> =>
  new Map(view.features.map(({ name, ...feature }) => [name, feature]));

const show = (value: unknown): string => (value === undefined ? "nothing" : JSON.stringify(value));

const isSame = (a: unknown, b: unknown): boolean => show(a) === show(b);

const changed = (what: string, a: unknown, b: unknown): readonly string[] =>
  isSame(a, b) ? [] : [`${what}: ${show(a)} becomes ${show(b)}`];

function diffMembers(what: string, a: object, b: object): readonly string[] {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return names.flatMap((name) => changed(`${what}.${name}`, Reflect.get(a, name), Reflect.get(b, name)));
}

function diffNamed(
  what: string,
  a: ReadonlyMap<string, object>,
  b: ReadonlyMap<string, object>,
): readonly string[] {
  const gone = [...a]
    .filter(([name]) => !b.has(name))
    .map(([name, value]) => `${what} ${name} is gone: ${show(value)}`);
  const others = [...b].flatMap(([name, value]) => {
    const before = a.get(name);
    if (before === undefined) return [`${what} ${name} is new: ${show(value)}`];
    return diffMembers(`${what} ${name}`, before, value);
  });
  return [...gone, ...others];
}

/** The order of the features is that of the values in a vector. */
function diffOrder(a: FeatureView, b: FeatureView): readonly string[] {
  const [inA, inB] = [a, b].map((view) => view.features.map(({ name }) => name));
  const both = (names: readonly string[] = [], others: readonly string[] = []): string =>
    names.filter((name) => others.includes(name)).join(", ");
  const [before, after] = [both(inA, inB), both(inB, inA)];
  return before === after ? [] : [`the order of the features becomes ${after}`];
}
