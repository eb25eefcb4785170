import type { IClientOptions, ISubscriptionMap } from "mqtt";
import type { ClientSettings } from "./settings.ts";
import { readTls } from "./tls.ts";

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  "mqtt:": 1_883,
  "mqtts:": 8_883,
  "ws:": 80,
  "wss:": 443,
};

/** What the connection to the broker is made with, read anew for each connection so that new files are taken up. */
export interface ClientTls {
  readonly options: Pick<IClientOptions, "ca" | "cert" | "key" | "servername" | "rejectUnauthorized">;
  /** When the certificate ends that the gateway shows; undefined without one. */
  readonly expiresAtUs: number | undefined;
}

/** Throws PipelineError "ingest.tls_unreadable" or "ingest.tls_invalid". */
export function clientTls({ caFile, certFile, keyFile, serverName }: ClientSettings): ClientTls {
  const { options, expiresAtUs } = readTls("ingest.client", { caFile, certFile, keyFile });
  const { ca, cert, key } = options;
  return {
    options: {
      // A broker that cannot prove who it is gets neither password nor acknowledgement; there is no setting for it.
      rejectUnauthorized: true,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(serverName === undefined ? {} : { servername: serverName }),
    },
    expiresAtUs,
  };
}

/** What mqtt.js is told. */
export function clientOptions(
  settings: ClientSettings,
  packetBytesMax: number,
  tls: ClientTls,
): IClientOptions {
  const { username, password, protocolVersion } = settings;
  return {
    clientId: settings.clientId,
    clean: false,
    protocolVersion,
    keepalive: settings.keepAliveS,
    connectTimeout: settings.connectTimeoutMs,
    reconnectPeriod: settings.reconnectBaseMs,
    reconnectOnConnackError: true,
    // Subscribing is ours: mqtt.js would forget a subscription that the broker refused once.
    resubscribe: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...tls.options,
    ...(protocolVersion === 5
      ? {
          properties: {
            sessionExpiryInterval: settings.sessionExpiryS,
            receiveMaximum: settings.unsettledMessagesMax,
            maximumPacketSize: packetBytesMax,
          },
        }
      : {}),
  };
}

/** What to subscribe to: QoS 1 always, so that QoS 2 publishes come down to one acknowledgement each. */
export function subscriptions(settings: ClientSettings): ISubscriptionMap {
  const { topics, sharedGroup, protocolVersion } = settings;
  const filter = (topic: string): string =>
    sharedGroup === undefined ? topic : `$share/${sharedGroup}/${topic}`;
  // Retain handling 1 (MQTT 5 §3.8.3.1): what is retained is sent for a new subscription, not at each reconnect.
  const options = protocolVersion === 5 ? { qos: 1 as const, rh: 1 as const } : { qos: 1 as const };
  return Object.fromEntries(topics.map((topic) => [filter(topic), options]));
}

/** host:port of a broker's URL. */
export function brokerAddress(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  return `${hostname}:${port === "" ? DEFAULT_PORTS[protocol] : port}`;
}
