import type { Contribution } from "./prediction.ts";

/** An alert on MQTT: raised when a device becomes anomalous, cleared when it is normal again. Times are ISO 8601. */
export interface Alert {
  readonly id: string;
  readonly gateway: string;
  readonly device: string;
  readonly state: "raised" | "cleared";
  readonly windowStart: string;
  readonly windowEnd: string;
  readonly score: number;
  readonly threshold: number;
  readonly model: string;
  readonly version: number;
  readonly top: readonly Contribution[];
  /** One sentence for a person. */
  readonly text: string;
}
