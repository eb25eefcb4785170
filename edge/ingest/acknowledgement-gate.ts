import { Duplex } from "node:stream";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { MqttClient } from "mqtt";

/** A PUBACK or a PUBREC: what tells a broker that it may forget a message. */
export interface Acknowledgement {
  readonly cmd: "puback" | "pubrec";
  readonly messageId: number;
  readonly reasonCode: 0;
}

type Send = (packet: object, sent?: () => void, ...rest: unknown[]) => void;

/** How many turns of the event loop the check may take; it needs about ten. */
const CHECK_TURNS_MAX = 1_000;

const CONNACK = [0x20, 2, 0, 0];
/** QoS 1, packet id 7, topic "a", payload "b". */
const PUBLISH = [0x32, 6, 0, 1, 0x61, 0, 7, 0x62];
const PUBACK = Buffer.from([0x40, 2, 0, 7]);

/**
 * Keeps mqtt.js from acknowledging by itself; returns what sends an acknowledgement.
 *
 * mqtt.js hands over one message at a time and acknowledges it before the next, so one commit could cover only one
 * message. Its private `_sendPacket` is the one way out of all its acknowledgements: there they are taken away.
 * Throws PipelineError "ingest.mqtt_client_changed" where that way is not there.
 */
export function takeOverAcknowledgements(client: MqttClient): (acknowledgement: Acknowledgement) => void {
  const own: unknown = Reflect.get(client, "_sendPacket");
  if (!isSend(own)) throw changed("it has no _sendPacket");
  const send = own.bind(client);
  const gate: Send = (packet, sent, ...rest) => {
    if (isAcknowledgement(packet)) sent?.();
    else send(packet, sent, ...rest);
  };
  Reflect.set(client, "_sendPacket", gate);
  return (acknowledgement) => send(acknowledgement);
}

const isSend = (value: unknown): value is Send => typeof value === "function";

function isAcknowledgement(packet: object): boolean {
  const cmd: unknown = Reflect.get(packet, "cmd");
  return cmd === "puback" || cmd === "pubrec";
}

/**
 * Proves, on a connection in memory, that mqtt.js does not acknowledge what we have not acknowledged.
 *
 * Throws PipelineError "ingest.mqtt_client_changed". Run at every start: a silent change of mqtt.js would break the
 * promise that what is acknowledged is durable.
 */
export async function checkGate(): Promise<void> {
  const written: Buffer[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, wrote) => {
      written.push(chunk);
      wrote();
    },
  });
  const client = new MqttClient(() => stream, {
    clientId: "check",
    keepalive: 0,
    reconnectPeriod: 0,
  });
  client.on("error", () => undefined);
  let handled = false;
  client.handleMessage = (_packet, next) => {
    handled = true;
    next();
  };
  try {
    const acknowledge = takeOverAcknowledgements(client);
    stream.push(Buffer.from([...CONNACK, ...PUBLISH]));
    await turnsUntil(() => handled);
    await turnsUntil(() => false, 5);
    const tooSoon = Buffer.concat(written).includes(PUBACK);
    acknowledge({ cmd: "puback", messageId: 7, reasonCode: 0 });
    await turnsUntil(() => Buffer.concat(written).includes(PUBACK));
    if (!handled) throw changed("it does not hand over messages by handleMessage");
    if (tooSoon) throw changed("it acknowledges a message by another way than _sendPacket");
    if (!Buffer.concat(written).includes(PUBACK))
      throw changed("_sendPacket does not send an acknowledgement");
  } finally {
    client.end(true);
  }
}

async function turnsUntil(isDone: () => boolean, turnsMax = CHECK_TURNS_MAX): Promise<void> {
  for (let turn = 0; turn < turnsMax && !isDone(); turn++)
    await new Promise((resolve) => setImmediate(resolve));
}

const changed = (what: string): PipelineError =>
  new PipelineError("ingest.mqtt_client_changed", `this version of mqtt.js cannot be used: ${what}`, {
    hint: `Install the version of mqtt that the gateway names in its package.json; this is ${MqttClient.VERSION}.`,
  });
