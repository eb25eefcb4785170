import { featureViewShape } from "@sluice/shared/contract/feature-view.ts";
import { checkView } from "@sluice/shared/features/check-view.ts";
import { z } from "zod";

/** A view that the function library can compute. */
const computableViewSchema = featureViewShape.superRefine((view, context) => {
  for (const { path, message } of checkView(view)) context.addIssue({ code: "custom", path, message });
});

export const featuresSettingsSchema = z.strictObject({
  /** Feature views that this gateway computes beside the one of its model. */
  views: z
    .array(computableViewSchema)
    .max(32)
    .default([])
    .describe("Feature views that this gateway computes beside the one of its model."),
});
