/** What the worker thread says of itself. Offsets are message offsets, -1 before the first; times whole microseconds. */
export interface PipelineSnapshot {
  readonly epoch: string;
  /** Why no message is stored at the moment, nor acknowledged; what is said besides is then of the time before. */
  readonly refusing?: string | undefined;
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
    readonly disk: Disk;
    /** Since the start: readings, and everything else. */
    readonly derived: { readonly readings: Derived; readonly other: Derived };
    /** Bytes of rows and batches written since the start. */
    readonly derivedWrittenBytes: number;
  };
  /** How it is known that the gateway's own clock is wrong. */
  readonly clockProblem?: string | undefined;
  /** Since the buffer was made: messages, readings, quarantined, quarantine.<reason>, predictions, … */
  readonly counters: Readonly<Record<string, number>>;
  readonly features: {
    readonly views: readonly {
      readonly name: string;
      readonly hash: string;
      /** Devices whose vectors are kept from models now. */
      readonly withheldDevices: number;
    }[];
    /** When windows of a silent device are to be closed, should nobody send until then. */
    readonly idleDueAtUs?: number | undefined;
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
    /** Why batches of some streams are not sent now, although the lake may be there. */
    readonly held?:
      | {
          readonly reason: "quiet_hours" | "day_budget";
          readonly untilUs: number;
          readonly streams: readonly string[];
        }
      | undefined;
    /** Bytes that were sent on this day of UTC, and the most that may be. */
    readonly day?: { readonly sentBytes: number; readonly bytesMax: number | undefined };
    readonly failedUploads: number;
    readonly divergedBatches: number;
    readonly lastError:
      { readonly code: string; readonly message: string; readonly atUs: number } | undefined;
    readonly lastDeliveredAtUs: number | undefined;
  };
}

/** How much of the disk is used, and by what. */
export interface Disk {
  /** All files of the buffer, the set-aside ones included. */
  readonly diskBytes: number;
  /** Of them, free pages that are used next. */
  readonly freeBytes: number;
  /** Of them, raw messages that go first, because what they say is on disk a second time. */
  readonly spareRawBytes: number;
  /** Of them, files that were set aside as damaged. */
  readonly asideBytes: number;
  /** What may be used before readings are given up, or messages refused. */
  readonly roomUntilBytes: number;
  /** Whether room is wanted and nothing is left that may be given up. */
  readonly exhausted: boolean;
  readonly whenFull: "shed" | "refuse";
  /** One of so many readings of each series is left before whole batches are dropped. */
  readonly thinningMax: number;
  /** Batches of readings that may still be thinned out, by how far they are. */
  readonly thinnable: readonly { readonly step: number; readonly bytes: number }[];
}

interface Derived {
  readonly rows: number;
  readonly pendingRows: number;
  /** What a row weighs in a batch. */
  readonly bytesPerRow: number;
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
  /** Why somebody must act so that it takes messages, now or soon. */
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
  /** What became of requests for feature vectors over MQTT since the start. */
  readonly online: {
    readonly answered: number;
    readonly refused: number;
    readonly unanswerable: number;
    readonly misdirected: number;
  };
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
    /** Vectors, predictions, labels and whatever else is no reading. */
    readonly otherRowsPerS: number;
    /** Encoded bytes that the lake took. */
    readonly deliveredBytesPerS: number;
    /** Bytes written to storage by the whole process, as the system counts them or estimated. */
    readonly storage: { readonly bytesPerS: number; readonly from: "system" | "estimate" };
  };
  readonly capacity: {
    /** Hours until readings are thinned out, or messages refused, if nothing is delivered; undefined at no rate. */
    readonly hoursLeft: number | undefined;
    /** Hours until readings are dropped whole, where they are thinned out before. */
    readonly hoursUntilDropped: number | undefined;
    /** Seconds until what waits is delivered, at the present rates; undefined while it does not get less. */
    readonly drainS: number | undefined;
  };
}
