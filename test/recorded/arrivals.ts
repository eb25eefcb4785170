import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import type { Random } from "@sluice/shared/runtime/random.ts";
import type { Recording } from "./recording.ts";

/** Share of the messages that come a second time, as a redelivery of their packet and in a new one. */
const REDELIVERED_SHARE = 0.05;
const RESENT_SHARE = 0.05;

/** How much later than the first one a second copy comes at most, in messages: what both filters reach back. */
const AGAIN_MESSAGES_MAX = 150;

/**
 * The messages of a recording as a bad network brings them: each delayed by a chance time up to `delayMsMax`, so in
 * another order, and some of them twice.
 */
export function arrivalsOf(recording: Recording, random: Random): IncomingMessage[] {
  const delayed = recording.messages
    .map((message) => ({ message, atUs: message.endUs + random.int(recording.delayMsMax * 1_000 + 1) }))
    .sort((a, b) => a.atUs - b.atUs);
  const slots: IncomingMessage[][] = delayed.map(() => []);
  const packets = new Map<string, number>();
  for (const [n, { message, atUs }] of delayed.entries()) {
    const { device, topic, payload } = message;
    const nextPacket = (): number => {
      const packetId = ((packets.get(device) ?? 0) % 65_535) + 1;
      packets.set(device, packetId);
      return packetId;
    };
    const first: IncomingMessage = {
      client: device,
      packetId: nextPacket(),
      qos: 1,
      dup: false,
      retain: false,
      topic,
      payload,
      receivedAtUs: atUs,
    };
    slots[n]?.push(first);
    const chance = random.next();
    const later = Math.min(n + random.int(AGAIN_MESSAGES_MAX), delayed.length - 1);
    const receivedAtUs = delayed[later]?.atUs ?? atUs;
    if (chance < REDELIVERED_SHARE) slots[later]?.push({ ...first, dup: true, receivedAtUs });
    else if (chance < REDELIVERED_SHARE + RESENT_SHARE)
      slots[later]?.push({ ...first, packetId: nextPacket(), receivedAtUs });
  }
  return slots.flat();
}
