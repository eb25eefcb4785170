import { BUNDLE_FORMAT_VERSION, type Bundle, type BundleManifest } from "../contract/bundle.ts";
import { createScorer, type Scorer, weightCount } from "./scorer.ts";

/** Which check a bundle did not pass. */
export type BundleCheck =
  "format" | "inputs" | "normalization" | "threshold" | "network" | "weights" | "golden";

/** A bundle that must not score: `check` says which check it did not pass, the message the field and the value. */
export class UnfitBundle extends Error {
  readonly check: BundleCheck;

  constructor(check: BundleCheck, message: string) {
    super(message);
    this.name = "UnfitBundle";
    this.check = check;
  }
}

/** How far a golden score may be off, relative to it: room for another engine's tanh, not for another model. */
const GOLDEN_TOLERANCE = 1e-6;

/**
 * Checks that a bundle can be trusted to score: its sizes agree, every number is finite, and it reproduces its golden
 * vectors. Signature, hash of the weights and hash of the view are checked where the bytes are (shared/codec).
 *
 * Throws UnfitBundle.
 */
export function checkBundle(bundle: Bundle): void {
  const { manifest, weights } = bundle;
  if (manifest.formatVersion !== BUNDLE_FORMAT_VERSION)
    throw new UnfitBundle(
      "format",
      `formatVersion ${manifest.formatVersion} is not ${BUNDLE_FORMAT_VERSION}, the one that this program reads`,
    );
  checkInputs(manifest);
  checkNumbers(manifest);
  checkNetwork(manifest);
  checkWeights(manifest, weights);
  checkGolden(manifest, createScorer(bundle));
}

function checkInputs({ inputs, view }: BundleManifest): void {
  const features = new Set(view.features.map((feature) => feature.name));
  const seen = new Set<string>();
  if (inputs.length === 0) throw new UnfitBundle("inputs", "inputs is empty");
  for (const [i, name] of inputs.entries()) {
    if (!features.has(name)) throw new UnfitBundle("inputs", `inputs.${i}: "${name}" is not in the view`);
    if (seen.has(name)) throw new UnfitBundle("inputs", `inputs.${i}: "${name}" is there twice`);
    seen.add(name);
  }
}

function checkNumbers({ inputs, normalization, threshold }: BundleManifest): void {
  const { mean, scale } = normalization;
  for (const [name, values] of [["mean", mean] as const, ["scale", scale] as const]) {
    if (values.length !== inputs.length)
      throw new UnfitBundle(
        "normalization",
        `normalization.${name} has ${values.length} entries for ${inputs.length} inputs`,
      );
    for (const [i, value] of values.entries())
      if (!Number.isFinite(value))
        throw new UnfitBundle("normalization", `normalization.${name}.${i} is ${value}, not finite`);
  }
  for (const [i, value] of scale.entries())
    if (value <= 0)
      throw new UnfitBundle("normalization", `normalization.scale.${i} is ${value}, not above 0`);
  if (!Number.isFinite(threshold) || threshold <= 0)
    throw new UnfitBundle("threshold", `threshold is ${threshold}, not a finite number above 0`);
}

function checkNetwork({ inputs, network }: BundleManifest): void {
  if (network.kind === "autoencoder") {
    const outputs = network.layers.at(-1)?.units;
    if (outputs !== inputs.length)
      throw new UnfitBundle("network", `the last layer has ${outputs} units for ${inputs.length} inputs`);
    return;
  }
  if (network.components > inputs.length)
    throw new UnfitBundle("network", `${network.components} components of ${inputs.length} inputs`);
  for (const name of ["t2Limit", "qLimit"] as const)
    if (!Number.isFinite(network[name]) || network[name] <= 0)
      throw new UnfitBundle("network", `network.${name} is ${network[name]}, not a finite number above 0`);
}

function checkWeights({ inputs, network, weights: promised }: BundleManifest, weights: Float32Array): void {
  const needed = weightCount(network, inputs.length);
  if (promised.count !== needed)
    throw new UnfitBundle("weights", `weights.count is ${promised.count}, the network has ${needed}`);
  if (weights.length !== needed)
    throw new UnfitBundle("weights", `there are ${weights.length} weights, the network has ${needed}`);
  const bad = weights.findIndex((weight) => !Number.isFinite(weight));
  if (bad !== -1) throw new UnfitBundle("weights", `weight ${bad} is ${weights[bad]}, not finite`);
  if (network.kind !== "pca") return;
  const zero = weights.subarray(network.components * inputs.length).findIndex((variance) => variance <= 0);
  if (zero !== -1) throw new UnfitBundle("weights", `the variance of component ${zero} is not above 0`);
}

function checkGolden({ inputs, golden }: BundleManifest, scorer: Scorer): void {
  if (golden.inputs.length === 0) throw new UnfitBundle("golden", "golden.inputs is empty");
  if (golden.inputs.length !== golden.scores.length)
    throw new UnfitBundle("golden", `${golden.inputs.length} golden inputs, ${golden.scores.length} scores`);
  for (const [i, row] of golden.inputs.entries()) {
    if (row.length !== inputs.length)
      throw new UnfitBundle(
        "golden",
        `golden.inputs.${i} has ${row.length} entries for ${inputs.length} inputs`,
      );
    const expected = golden.scores[i] ?? Number.NaN;
    const { score } = scorer.score(row.map((value) => value ?? undefined));
    const allowed = GOLDEN_TOLERANCE * Math.max(Math.abs(expected), Math.abs(score));
    // Also false where the expected score is NaN.
    if (!(Math.abs(score - expected) <= allowed))
      throw new UnfitBundle("golden", `golden vector ${i} scores ${score}, the bundle promises ${expected}`);
  }
}
