/** What the demo reads of a gateway's `/status`; the rest of it is not its business. */
export interface GatewayView {
  readonly readings: number;
  readonly readingsPerS: number;
  readonly acknowledged: number;
  readonly vectors: number;
  readonly late: number;
  readonly predictions: number;
  /** Devices in alarm now. */
  readonly raisedAlerts: number;
  readonly quarantined: number;
  readonly batchesDelivered: number;
  readonly rowsDelivered: number;
  readonly bytesWaiting: number;
  readonly model: string | undefined;
  readonly version: number | undefined;
  readonly problems: readonly string[];
}

export interface AttemptView {
  readonly attempt: number;
  readonly trigger: string;
  readonly decision: string;
  readonly version: number | undefined;
  readonly reasons: readonly string[];
  readonly table: string;
}

/** What the demo reads of the cloud's `/status`. */
export interface CloudView {
  readonly tables: readonly { readonly name: string; readonly version: number; readonly rows: number }[];
  readonly champion: number | undefined;
  readonly activity: string;
  readonly progress: number | undefined;
  readonly attempts: readonly AttemptView[];
  readonly problems: readonly string[];
}

/** The newest prediction of one pump, as published on MQTT. */
export interface PumpView {
  readonly device: string;
  readonly score: number;
  readonly threshold: number;
  readonly version: number;
}

export interface AlertView {
  readonly device: string;
  readonly state: string;
  readonly text: string;
  readonly windowEnd: string;
}

/** Everything that can be seen from outside at one moment. */
export interface Observation {
  readonly gateway: GatewayView | undefined;
  readonly cloud: CloudView | undefined;
  readonly pumps: readonly PumpView[];
  readonly alerts: readonly AlertView[];
}
