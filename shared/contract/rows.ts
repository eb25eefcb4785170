import type { GatewayEvent } from "./event.ts";
import type { Label } from "./label.ts";
import type { Prediction } from "./prediction.ts";
import type { QuarantineRow } from "./quarantine.ts";
import type { ReadingBlock } from "./reading.ts";
import type { StoredVector } from "./vector.ts";

/** What each stream carries, between decoding and the landing object. */
export interface StreamRows {
  readonly readings: ReadingBlock;
  readonly features: readonly StoredVector[];
  readonly predictions: readonly Prediction[];
  readonly labels: readonly Label[];
  readonly quarantine: readonly QuarantineRow[];
  readonly events: readonly GatewayEvent[];
}
