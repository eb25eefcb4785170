import { PipelineError } from "../runtime/errors.ts";

/** Why a bundle is refused. Stable: reports, metrics and tests name them. */
export const REFUSALS = [
  "format.newer",
  "manifest.malformed",
  "manifest.invalid",
  "signature.malformed",
  "signature.unknown_key",
  "signature.wrong",
  "weights.hash",
  "weights.length",
  "view.hash",
  "identity.other",
  "unfit.format",
  "unfit.inputs",
  "unfit.normalization",
  "unfit.threshold",
  "unfit.network",
  "unfit.weights",
  "unfit.golden",
] as const;

export type RefusalReason = (typeof REFUSALS)[number];

/** A model bundle that is not let in: a PipelineError "bundle.refused" whose message begins with the reason. */
export class BundleRefused extends PipelineError {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, detail: string, hint: string) {
    super("bundle.refused", `${reason}: ${detail}`, { hint });
    this.reason = reason;
  }
}
