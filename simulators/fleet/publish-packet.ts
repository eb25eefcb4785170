import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** The largest remaining length that MQTT can say (3.1.1 §2.2.3). */
const REMAINING_LENGTH_MAX = 268_435_455;
const TOPIC_BYTES_MAX = 65_535;

const DUP_FLAG = 0x08;

export interface PublishFields {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  /** 1 to 65,535; not sent at QoS 0. */
  readonly packetId: number;
}

/**
 * The bytes of a PUBLISH packet (MQTT 3.1.1 §3.3).
 *
 * Written here and not by mqtt-packet, whose writer costs more than everything else that a publisher does.
 * Throws PipelineError "mqtt.publish_refused" for a topic or a size that MQTT cannot carry.
 */
export function encodePublish({ topic, payload, qos, packetId }: PublishFields): Buffer {
  const topicBytes = Buffer.byteLength(topic);
  if (topicBytes === 0 || topicBytes > TOPIC_BYTES_MAX || /[+#\0]/.test(topic))
    throw refused(`topic "${topic.slice(0, 80)}" is empty, too long or has a wildcard in it`);
  const remaining = 2 + topicBytes + (qos === 1 ? 2 : 0) + payload.byteLength;
  if (remaining > REMAINING_LENGTH_MAX) throw refused(`a payload of ${payload.byteLength} bytes`);
  const lengthBytes = remaining < 128 ? 1 : remaining < 16_384 ? 2 : remaining < 2_097_152 ? 3 : 4;
  const packet = Buffer.allocUnsafe(1 + lengthBytes + remaining);
  let at = packet.writeUInt8(0x30 | (qos << 1), 0);
  for (let rest = remaining, i = 0; i < lengthBytes; i++, rest >>>= 7)
    at = packet.writeUInt8((rest & 0x7f) | (i + 1 < lengthBytes ? 0x80 : 0), at);
  at = packet.writeUInt16BE(topicBytes, at);
  at += packet.write(topic, at);
  if (qos === 1) at = packet.writeUInt16BE(packetId, at);
  packet.set(payload, at);
  return packet;
}

/** Says in the packet that it may have been sent before (MQTT 3.1.1 §3.3.1.1). */
export function markDuplicate(packet: Buffer): void {
  packet.writeUInt8(packet.readUInt8(0) | DUP_FLAG, 0);
}

function refused(what: string): PipelineError {
  return new PipelineError("mqtt.publish_refused", `cannot publish ${what}`);
}
