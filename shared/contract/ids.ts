import { z } from "zod";
import { NAME_LENGTH_MAX } from "./limits.ts";

/** A gateway's name: part of object keys and topics, so letters, digits, dot, dash and underscore only. */
export const gatewayIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "1 to 64 letters, digits, dots, dashes or underscores");

/** A buffer's identity: a UUID made when the buffer is made; a new buffer is a new epoch. */
export const epochSchema = z.uuid();

// oxlint-disable-next-line no-control-regex -- control characters are what this refuses
const PLAIN_NAME = /^[^\u0000-\u001f\u007f/+#]+$/u;

/** A device's name: one MQTT topic level, without wildcards or control characters. */
export const deviceIdSchema = z
  .string()
  .max(NAME_LENGTH_MAX)
  .regex(PLAIN_NAME, `1 to ${NAME_LENGTH_MAX} characters without "/", "+", "#" or control characters`);

/** A metric's name, as in the contract: "Volume Flow RateRMS" is fine, an empty one is not. */
export const metricNameSchema = z
  .string()
  .max(NAME_LENGTH_MAX)
  // oxlint-disable-next-line no-control-regex -- control characters are what this refuses
  .regex(/^[^\u0000-\u001f\u007f]+$/u, `1 to ${NAME_LENGTH_MAX} characters without control characters`);

/** A name that becomes part of a lake key: model names, view names. */
export const keyNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,63}$/, "a lower-case letter, then up to 63 of a-z, 0-9, dash or underscore");
