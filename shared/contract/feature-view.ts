import { z } from "zod";
import { keyNameSchema, metricNameSchema } from "./ids.ts";
import { FEATURES_MAX, WINDOW_HOPS_MAX, WINDOW_SIZE_MS_MAX } from "./limits.ts";

const identifier = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, "a lower-case name such as accel_rms");
const sizeMs = z.int().min(100).max(WINDOW_SIZE_MS_MAX);
const allowedLatenessMs = z.int().min(0).max(600_000).default(5_000);
/** How long after its closing a window can still be revised by late readings; later ones are only counted. */
const correctionMs = z.int().min(0).max(86_400_000).default(60_000);

const windowSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("tumbling"), sizeMs, allowedLatenessMs, correctionMs }),
  z.strictObject({ kind: z.literal("hopping"), sizeMs, hopMs: sizeMs, allowedLatenessMs, correctionMs }),
]);

const featureSchema = z.strictObject({
  name: identifier,
  /** A function of the library in shared/features. */
  fn: identifier,
  /** One input, or several for functions across metrics, by their names in `inputs`. */
  of: z.union([identifier, z.array(identifier).min(1).max(8)]),
  /** Settings of the function: a quantile's `q`, an exponential average's `alpha`. */
  with: z.record(identifier, z.number()).optional(),
  unit: z.string().max(32).optional(),
});

/**
 * A feature view: what is computed over which windows of which devices. Data, not code; its SHA-256 over the
 * canonical JSON is its version.
 */
export const featureViewSchema = z
  .strictObject({
    name: keyNameSchema,
    entity: z.literal("device").default("device"),
    owner: z.string().min(1).max(128),
    description: z.string().max(1_000).default(""),
    match: z.strictObject({ deviceType: z.string().min(1) }),
    window: windowSchema,
    inputs: z.record(identifier, z.strictObject({ metric: metricNameSchema })),
    features: z.array(featureSchema).min(1).max(FEATURES_MAX),
    /** How long a vector may serve as the newest one. */
    ttlMs: z.int().min(1_000).default(600_000),
  })
  .superRefine((view, context) => {
    const { window } = view;
    if (window.kind === "hopping" && (window.sizeMs % window.hopMs !== 0 || window.hopMs > window.sizeMs))
      context.addIssue({ code: "custom", path: ["window", "hopMs"], message: "must divide sizeMs" });
    if (window.kind === "hopping" && window.sizeMs / window.hopMs > WINDOW_HOPS_MAX)
      context.addIssue({
        code: "custom",
        path: ["window", "hopMs"],
        message: `sizeMs / hopMs must not exceed ${WINDOW_HOPS_MAX}`,
      });
    const names = new Set<string>();
    for (const [position, feature] of view.features.entries()) {
      if (names.has(feature.name))
        context.addIssue({ code: "custom", path: ["features", position, "name"], message: "is there twice" });
      names.add(feature.name);
      for (const input of [feature.of].flat())
        if (view.inputs[input] === undefined)
          context.addIssue({
            code: "custom",
            path: ["features", position, "of"],
            message: `"${input}" is not one of the inputs ${Object.keys(view.inputs).join(", ")}`,
          });
    }
  });

export type FeatureView = z.infer<typeof featureViewSchema>;
export type Feature = FeatureView["features"][number];
