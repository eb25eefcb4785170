import { z } from "zod";
import { deviceIdSchema } from "./ids.ts";

/** What an operator or a rule says of a device over a time, as sent on MQTT: ISO 8601 times with a zone. */
export const labelMessageSchema = z.strictObject({
  device: deviceIdSchema,
  /** The first moment that the label holds for. */
  from: z.iso.datetime({ offset: true }),
  /** The first moment that it no longer holds for. */
  to: z.iso.datetime({ offset: true }),
  /** "normal", or the name of a fault: "bearing_fault". */
  label: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, "a lower-case name such as normal or bearing_fault"),
  author: z.string().min(1).max(128),
  note: z.string().max(1_000).default(""),
});

/** A label as stored. Half-open `[fromUs, toUs)` in event time; known from `knownAtUs` on. */
export interface Label {
  readonly offset: number;
  readonly device: string;
  readonly fromUs: number;
  readonly toUs: number;
  readonly label: string;
  readonly author: string;
  readonly note: string;
  readonly knownAtUs: number;
}

/** The label that says that a device was healthy; every other label names a fault. */
export const NORMAL_LABEL = "normal";
