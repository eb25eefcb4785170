import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** Where an MQTT broker is and who asks. */
export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
}

/** The port that IANA gave to MQTT without TLS. */
const MQTT_PORT = 1_883;

/**
 * Reads `mqtt://[user[:password]@]host[:port]`.
 *
 * Throws PipelineError "mqtt.address_refused" for anything else.
 */
export function parseBrokerAddress(url: string): BrokerAddress {
  const refused = (why: string): PipelineError =>
    new PipelineError("mqtt.address_refused", `broker "${url}" ${why}`, {
      hint: "Give it as mqtt://host:port, with user:password@ in front of the host where it asks for them.",
    });
  if (!URL.canParse(url)) throw refused("is not an address");
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  if (protocol !== "mqtt:") throw refused(`has the scheme "${protocol}", only mqtt: is spoken here`);
  if (hostname === "") throw refused("names no host");
  if (pathname !== "" && pathname !== "/") throw refused(`has a path, "${pathname}"`);
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? MQTT_PORT : Number(port),
    username: username === "" ? undefined : decodeURIComponent(username),
    password: password === "" ? undefined : decodeURIComponent(password),
  };
}
