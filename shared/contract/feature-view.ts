import { z } from "zod";
import { keyNameSchema, metricNameSchema } from "./ids.ts";
import { FEATURES_MAX, WINDOW_HOPS_MAX, WINDOW_READINGS_MAX, WINDOW_SIZE_MS_MAX } from "./limits.ts";

const identifier = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, "a lower-case name such as accel_rms");
const sizeMs = z.int().min(100).max(WINDOW_SIZE_MS_MAX);

const timing = {
  allowedLatenessMs: z.int().min(0).max(600_000).default(5_000),
  /** How long after its closing a window can still be revised by late readings; later ones are only counted. */
  correctionMs: z.int().min(0).max(86_400_000).default(60_000),
  /**
   * A device that is silent for so long by arrival time has its open windows closed, and the vectors say so; left out,
   * only its own readings close its windows.
   */
  idleAfterMs: z.int().min(1_000).max(86_400_000).optional(),
};

const windowSchema = z.discriminatedUnion("kind", [
  /** Windows side by side, aligned to the epoch. */
  z.strictObject({ kind: z.literal("tumbling"), sizeMs, ...timing }),
  /** Overlapping windows: one of `sizeMs` ends every `hopMs`. */
  z.strictObject({ kind: z.literal("hopping"), sizeMs, hopMs: sizeMs, ...timing }),
  /** One window per event time that has a reading: the `sizeMs` that end with it; at most one every `hopMs`, where given. */
  z.strictObject({ kind: z.literal("sliding"), sizeMs, hopMs: sizeMs.optional(), ...timing }),
  /** Readings between two silences of `gapMs`; a longer row than `sizeMs` is cut there. */
  z.strictObject({ kind: z.literal("session"), gapMs: sizeMs, sizeMs, ...timing }),
  /** `readings` readings of the input `of`, in event time; a new window every `hopReadings`, which is all unless given. */
  z.strictObject({
    kind: z.literal("count"),
    of: identifier,
    readings: z.int().min(1).max(WINDOW_READINGS_MAX),
    hopReadings: z.int().min(1).max(WINDOW_READINGS_MAX).optional(),
    ...timing,
  }),
]);

/** What a feature promises to be; a vector that breaks it says so in its `violations`. */
const expectationSchema = z
  .strictObject({
    min: z.number().optional(),
    max: z.number().optional(),
    /** Most of the device's last windows in which it may have no value, from 0 to 1. */
    missingShareMax: z.number().min(0).max(1).optional(),
  })
  .refine(({ min, max }) => min === undefined || max === undefined || min <= max, {
    message: "min must not be above max",
  });

const described = {
  name: identifier,
  unit: z.string().max(32).optional(),
  description: z.string().max(1_000).optional(),
  expect: expectationSchema.optional(),
};

/** A feature by a function of the library in shared/features. */
const functionFeatureSchema = z.strictObject({
  ...described,
  fn: identifier,
  /** One input, or several for functions across metrics, by their names in `inputs`; none for functions of the time. */
  of: z.union([identifier, z.array(identifier).min(1).max(8)]).optional(),
  /** Settings of the function: a quantile's `q`, an exponential average's `alpha`, a calendar's `zone`. */
  with: z.record(identifier, z.union([z.number(), z.string().min(1).max(64)])).optional(),
  /** What a deviation is measured from: `cumulative_mean`, for one. */
  from: identifier.optional(),
});

/** A feature by an expression over other features of the view: `a / (b + 1)`. */
const expressionFeatureSchema = z.strictObject({ ...described, expr: z.string().min(1).max(500) });

/** When the vectors of a device are no longer given to models, because too many in a row broke what they promise. */
const vectorBreakerSchema = z
  .strictObject({
    /** How many of the device's last vectors are looked at. */
    windowVectors: z.int().min(1).max(1_024).default(20),
    /** Opens when more than this share of them has a violation. */
    violationShareMax: z.number().min(0).lt(1).default(0.2),
    /** Closes when this share or less has one; half of violationShareMax unless it says otherwise. */
    closeShareMax: z.number().min(0).lt(1).optional(),
  })
  .refine(({ closeShareMax = 0, violationShareMax }) => closeShareMax <= violationShareMax, {
    message: "closeShareMax must not be above violationShareMax",
  });

/** The parts of a view, each by itself: what `contradictions` looks at together. */
export const featureViewShape = z.strictObject({
  name: keyNameSchema,
  entity: z.literal("device").default("device"),
  owner: z.string().min(1).max(128),
  description: z.string().max(1_000).default(""),
  match: z.strictObject({ deviceType: z.string().min(1) }),
  window: windowSchema,
  inputs: z.record(
    identifier,
    z.strictObject({
      metric: metricNameSchema,
      /** The unit that the contract stores it in; what the units of the features are checked against. */
      unit: z.string().min(1).max(32).optional(),
      /** The newest reading of a window may be so much older than the window's end; else the vector says so. */
      freshnessMs: z.int().min(1).max(WINDOW_SIZE_MS_MAX).optional(),
    }),
  ),
  features: z
    .array(z.union([functionFeatureSchema, expressionFeatureSchema]))
    .min(1)
    .max(FEATURES_MAX),
  breaker: vectorBreakerSchema.optional(),
  /** How long a vector may serve as the newest one. */
  ttlMs: z.int().min(1_000).default(600_000),
});

export type FeatureView = z.infer<typeof featureViewShape>;

/** One thing that a view says twice or of what is not there. */
interface Contradiction {
  readonly path: (string | number)[];
  readonly message: string;
}

/** What parts of a view say against each other, each with its path. */
export function contradictions({ window, inputs, features }: FeatureView): readonly Contradiction[] {
  const found: Contradiction[] = [];
  if (window.kind === "hopping") {
    const { sizeMs, hopMs } = window;
    const path = ["window", "hopMs"];
    if (sizeMs % hopMs !== 0 || hopMs > sizeMs) found.push({ path, message: "must divide sizeMs" });
    if (sizeMs / hopMs > WINDOW_HOPS_MAX)
      found.push({ path, message: `sizeMs / hopMs must not exceed ${WINDOW_HOPS_MAX}` });
  }
  const checkInput = (name: string, path: (string | number)[]): void => {
    if (Object.hasOwn(inputs, name)) return;
    found.push({ path, message: `"${name}" is not one of the inputs ${Object.keys(inputs).join(", ")}` });
  };
  if (window.kind === "count") checkInput(window.of, ["window", "of"]);
  const names = new Set<string>();
  for (const [place, feature] of features.entries()) {
    if (names.has(feature.name)) found.push({ path: ["features", place, "name"], message: "is there twice" });
    names.add(feature.name);
    if ("fn" in feature)
      for (const input of [feature.of ?? []].flat()) checkInput(input, ["features", place, "of"]);
  }
  return found;
}

/**
 * A feature view: what is computed over which windows of which devices. Data, not code; its SHA-256 over the
 * canonical JSON is its version.
 */
export const featureViewSchema = featureViewShape.superRefine((view, context) => {
  for (const { path, message } of contradictions(view)) context.addIssue({ code: "custom", path, message });
});

export type FeatureWindow = FeatureView["window"];
export type Feature = FeatureView["features"][number];
export type FunctionFeature = z.infer<typeof functionFeatureSchema>;
export type ExpressionFeature = z.infer<typeof expressionFeatureSchema>;
