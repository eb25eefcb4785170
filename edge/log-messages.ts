import type { MessagePort } from "node:worker_threads";
import type { LogNotice, RoomNotice, TailStart } from "./buffer/log-notices.ts";
import type { Failure } from "./pipeline-messages.ts";

/** What the thread of the log is started with. */
export interface LogWorkerData extends TailStart {
  readonly bufferDir: string;
  readonly encryptionKeyFile: string | undefined;
  readonly bootId: string;
  /** Where groups come from, and where it is said that they are on disk. */
  readonly groups: MessagePort;
  /** One number: bytes of groups that are on their way to whoever decodes them. */
  readonly handedOnBytes: Int32Array;
}

/** A group on its way to the log. */
export interface GroupMessage {
  readonly id: number;
  readonly group: ArrayBuffer;
}

/** The group is on disk, or it is not and nothing of it may be acknowledged. */
export interface SettledMessage {
  readonly id: number;
  readonly failure: Failure | undefined;
}

export type ToLog =
  | { readonly kind: "room"; readonly room: RoomNotice }
  | { readonly kind: "spare"; readonly path: string }
  /** A full segment is open elsewhere, where there is time to fold its write-ahead log in. */
  | { readonly kind: "release"; readonly offset: number }
  | { readonly kind: "stop" };

export type FromLog =
  | { readonly kind: "notice"; readonly notice: LogNotice }
  /** The disk budget is reached: what can go should, and what there is then should be told. */
  | { readonly kind: "room-wanted" }
  /** A group was not stored. */
  | { readonly kind: "refused"; readonly failure: Failure }
  | { readonly kind: "stopped" };
