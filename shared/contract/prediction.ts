/** One feature's part in a score: `share` is between 0 and 1, and the shares of all features add up to 1. */
export interface Contribution {
  readonly feature: string;
  readonly share: number;
}

/** What a model said of one feature vector. `seq` is its number in the predictions stream of gateway and epoch. */
export interface Prediction {
  readonly seq: number;
  /** The vector that was scored: its number in the features stream. */
  readonly vectorSeq: number;
  readonly device: string;
  readonly deviceType: string;
  readonly viewHash: string;
  readonly windowStartUs: number;
  readonly windowEndUs: number;
  readonly revision: number;
  readonly model: string;
  readonly version: number;
  readonly slot: "champion" | "shadow";
  /** The model's score; at or above `threshold` the window is anomalous. No unit: the ratio to threshold is 1. */
  readonly score: number;
  readonly threshold: number;
  readonly anomalous: boolean;
  /** How many of the model's inputs had no value and were taken as average. */
  readonly missingCount: number;
  /** The features that mattered most, largest share first, three at most. */
  readonly top: readonly Contribution[];
  /** The inputs whose values the model has not seen the like of in training. */
  readonly unlikeTraining: readonly string[];
  readonly predictedAtUs: number;
}
