/**
 * What happened at a gateway that whoever reads the lake must know to judge the rows: data that was given up, a clock
 * that was corrected, a stream that was held back. Stable: dashboards and tests name them.
 */
export const EVENT_KINDS = [
  /** A metric that the contract does not list was accepted for the first time. */
  "schema.new_metric",
  /** Too many violations: the stream is stored, but kept from features and models; and that it is over. */
  "breaker.opened",
  "breaker.closed",
  /** A metric comes more often than its contract allows: what is too much is stored, but kept from features and models. */
  "rate.exceeded",
  /** A device was silent for longer than its contract allows; and that it is back. */
  "device.stale",
  "device.fresh",
  /** The gateway's own clock was stepped; stamps of arrival before it are off by the step. */
  "clock.stepped",
  /** Messages of a Sparkplug edge node are missing between two that came. */
  "sparkplug.gap",
  /** A Sparkplug edge node or device is gone, as its death certificate says. */
  "sparkplug.death",
  /** Readings were thinned out, or dropped, because the disk budget was reached. */
  "shed.thinned",
  "shed.dropped",
  /** Readings were left out because the gateway's settings say which of them go to the lake. */
  "shed.policy",
  /** Acknowledged messages are damaged on disk. */
  "buffer.damaged",
  /** What the stages or a view remembered of earlier messages cannot be read: it begins anew. */
  "checkpoint.lost",
  /** What was in quarantine was decoded again. */
  "quarantine.released",
  /** A file was brought in. */
  "import.done",
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

/** An event as the stage that noticed it tells it. */
export interface NewEvent {
  readonly kind: EventKind;
  /** When it happened, by the gateway's clock: whole microseconds since the epoch, UTC. */
  readonly atUs: number;
  readonly device?: string | undefined;
  readonly metric?: string | undefined;
  /** The message offsets that it concerns, both inclusive; left out where it concerns none. */
  readonly offsets?: { readonly from: number; readonly through: number } | undefined;
  /** How many rows or messages it concerns. */
  readonly count: number;
  /** One sentence for a person. */
  readonly detail: string;
  /** The same for a program: numbers and names by key. */
  readonly facts?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** An event with its number in the stream: increasing by one from 0 within the buffer's epoch. */
export interface GatewayEvent extends NewEvent {
  readonly seq: number;
}
