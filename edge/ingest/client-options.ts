import { readFileSync } from "node:fs";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { IClientOptions, ISubscriptionMap } from "mqtt";
import type { ClientSettings } from "./settings.ts";

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  "mqtt:": 1_883,
  "mqtts:": 8_883,
  "ws:": 80,
  "wss:": 443,
};

/** What mqtt.js is told. Throws PipelineError "ingest.ca_unreadable". */
export function clientOptions(settings: ClientSettings, packetBytesMax: number): IClientOptions {
  const { username, password, caFile, protocolVersion } = settings;
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
    ...(caFile === undefined ? {} : { ca: readCa(caFile) }),
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

function readCa(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new PipelineError("ingest.ca_unreadable", `cannot read ingest.client.caFile ${file}`, {
      cause,
      hint: "Give the path of a PEM file that the gateway's user may read.",
    });
  }
}
