/** What the worker thread says of itself. Offsets are message offsets, -1 before the first; times whole microseconds. */
export interface PipelineSnapshot {
  readonly epoch: string;
  readonly buffer: {
    readonly nextOffset: number;
    readonly decodedThrough: number;
    readonly deliveredThrough: number;
    readonly segments: number;
    /** On disk: raw messages, and everything derived. */
    readonly diskBytes: number;
    readonly stateBytes: number;
    readonly diskBytesMax: number;
    /** Bytes of messages written since the start. */
    readonly writtenBytes: number;
    readonly duplicates: number;
    readonly refused: number;
    readonly damages: readonly {
      readonly file: string;
      readonly fromOffset: number;
      readonly reason: string;
    }[];
    readonly outbox: { readonly batches: number; readonly bytes: number };
  };
  /** How it is known that the gateway's own clock is wrong. */
  readonly clockProblem?: string | undefined;
  /** Since the buffer was made: messages, readings, quarantined, quarantine.<reason>, predictions, … */
  readonly counters: Readonly<Record<string, number>>;
  readonly features: {
    readonly views: readonly { readonly name: string; readonly hash: string }[];
    readonly counters: Readonly<Record<string, number>>;
  };
  /** How the devices keep their contracts at the moment. */
  readonly contracts: {
    /** Devices whose readings are kept from features and models, and those of them that have been for longest. */
    readonly openCount: number;
    readonly open: readonly {
      readonly device: string;
      readonly deviceType: string;
      readonly violationShare: number;
      readonly openedAtUs: number;
      readonly withheld: number;
    }[];
    /** Metrics that are silent for longer than allowed. */
    readonly staleCount: number;
  };
  readonly inference: {
    readonly slot:
      | { readonly state: "empty" }
      | {
          readonly state: "ready";
          readonly model: { readonly model: string; readonly version: number };
          readonly viewHash: string;
        }
      | { readonly state: "failed"; readonly reason: string };
    readonly counters: Readonly<Record<string, number>>;
    readonly raisedAlerts: number;
  };
  /** Which wish of the cloud is answered, why one was refused, and why none can be read at the moment. */
  readonly models: {
    readonly desiredRevision: number;
    readonly refusal: { readonly code: string; readonly message: string } | undefined;
    readonly failure?: { readonly code: string; readonly message: string } | undefined;
    readonly refusedCount: number;
    readonly installedCount: number;
  };
  readonly sync: {
    readonly lake: "reached" | "away" | "unknown";
    readonly sealed: Amount;
    readonly delivered: Amount;
    readonly pendingRows: number;
    readonly failedUploads: number;
    readonly divergedBatches: number;
    readonly lastError:
      { readonly code: string; readonly message: string; readonly atUs: number } | undefined;
    readonly lastDeliveredAtUs: number | undefined;
  };
}

interface Amount {
  readonly batches: number;
  readonly rows: number;
  readonly bytes: number;
}

/** What one source of messages says of itself. */
export interface SourceStatus {
  readonly name: string;
  readonly address: string;
  readonly connections: number;
  readonly received: number;
  readonly acknowledged: number;
  readonly receivedBytes: number;
  readonly refused: Readonly<Record<string, number>>;
  /** Why it takes nothing at the moment. */
  readonly problem: string | undefined;
}

/** What `/status` says. Rates are over the last minute. */
export interface GatewayStatus extends PipelineSnapshot {
  readonly gateway: string;
  readonly softwareVersion: string;
  readonly healthy: boolean;
  /** Why somebody must act, in words; empty when it is healthy. */
  readonly problems: readonly string[];
  readonly uptimeS: number;
  readonly memoryBytes: number;
  readonly ingest: readonly SourceStatus[];
  readonly commit: {
    readonly messages: number;
    readonly groups: number;
    readonly failedGroups: number;
    readonly refused: number;
    readonly waitingBytes: number;
  };
  readonly rates: {
    readonly readingsPerS: number;
    /** Bytes of messages written to disk. */
    readonly bytesPerS: number;
    /** Encoded bytes that the lake took. */
    readonly deliveredBytesPerS?: number;
  };
  readonly capacity: {
    /** Hours until the disk budget is reached at the present rate if nothing is delivered; undefined at no rate. */
    readonly hoursLeft: number | undefined;
    /** Seconds until the batches that wait are delivered, at the present rate; undefined while none is delivered. */
    readonly drainS: number | undefined;
  };
}
