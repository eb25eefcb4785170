/** One table of the lake. */
export interface TableStatus {
  readonly name: string;
  readonly version: number;
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
}

/** One run of the learning loop, newest first in CloudStatus. */
export interface AttemptStatus {
  readonly attempt: number;
  readonly trigger: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly decision: string;
  readonly version: number | undefined;
  readonly reasons: readonly string[];
  /** The comparison as text, lines of a table. */
  readonly table: string;
}

export interface ModelStatus {
  readonly model: string;
  readonly champion: number | undefined;
  /** What the loop is doing with this model now, in words. */
  readonly activity: string;
  /** Share done of that activity, 0 to 1; undefined when it cannot be known. */
  readonly progress: number | undefined;
  readonly attempts: readonly AttemptStatus[];
}

export interface GatewayRow {
  readonly gateway: string;
  readonly desired: string;
  readonly running: string;
  readonly reportedAt: string;
  readonly refusal: string | undefined;
}

/** What the lake says of itself. */
export interface LakeStatus {
  readonly tables: readonly TableStatus[];
  readonly models: readonly ModelStatus[];
  readonly gateways: readonly GatewayRow[];
}

/** Whether this service commits what lands, or stands by for another one that does. Times are the holder's. */
export type CommitterStatus =
  | { readonly state: "committing" }
  | {
      readonly state: "standing_by";
      readonly holder: string;
      readonly since: string;
      /** When its lease ends unless it is renewed. */
      readonly until: string;
    }
  /** Nobody has been asked yet, or the lake cannot be reached. */
  | { readonly state: "unknown" };

/** What `/status` says of the cloud service, as JSON. Times are ISO 8601. */
export interface CloudStatus extends LakeStatus {
  readonly softwareVersion: string;
  readonly healthy: boolean;
  /** Why it is not healthy, in words. */
  readonly problems: readonly string[];
  readonly uptimeS: number;
  readonly committer: CommitterStatus;
  readonly lastCommitAt: string | undefined;
}
