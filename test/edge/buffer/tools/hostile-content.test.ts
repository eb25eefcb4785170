import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSegment } from "../../../../edge/buffer/tools/segment-rows.ts";
import { groupOf, LIMITS, messageOf, openLog, tempFolder } from "../fixtures.ts";
import { flip } from "./fixtures.ts";

const MESSAGES = 16;
const PAYLOAD_BYTES = 250_000;

/** A number as SQLite writes it, in so many bytes. */
const varint = (value: number, length: number): readonly number[] =>
  Array.from({ length }, (_, i) => {
    const bits = Math.floor(value / 128 ** (length - 1 - i)) % 128;
    return i === length - 1 ? bits : bits | 0x80;
  });

/** A payload of nothing but heads of groups, each of which says that it is as long as the file and goes on at page 5. */
function hostilePayload(): Uint8Array {
  const numbers = 1 + 4 + 1 + 8 + 8; // Count, checksum, a boot id of one letter, two times.
  const headBytes = 12;
  // So long that what goes on elsewhere is named at the end of a head.
  const claimed = Math.floor((MESSAGES * PAYLOAD_BYTES * 0.9) / 4_092) * 4_092 + 489 + 3;
  const bodyType = 12 + 2 * (claimed - headBytes - numbers);
  const head = [headBytes, 0, 1, 4, 15, 6, 6, ...varint(bodyType, 5), 0, 0, 0, 5];
  return Uint8Array.from({ length: PAYLOAD_BYTES }, (_, i) => head[i % head.length] ?? 0);
}

/*
 * Goal: whoever may publish cannot make a repair, which a start may wait for, take hours.
 * Method: messages full of what looks like the heads of long groups, in a file with a damaged header and a damaged group.
 */
test("messages that look like groups neither hold up a repair nor hide a group that is whole", () => {
  const dir = tempFolder();
  const log = openLog(dir, { limits: { ...LIMITS, segmentBytesMax: 2 ** 26 } });
  const payload = hostilePayload();
  for (let i = 0; i < MESSAGES; i++) log.append(groupOf([messageOf("", { packetId: i + 1, payload })]));
  log.close();
  const [name = ""] = readdirSync(dir).filter((file) => file.endsWith(".db"));
  const path = join(dir, name);
  flip(path, 18, 3); // A version that we do not write.
  const content = readFileSync(path);
  flip(path, content.indexOf(payload.subarray(0, 16), content.length / 2)); // The inside of a message.
  const found: number[] = [];
  const startedUs = process.cpuUsage();
  const problems = readSegment(path, ({ first }) => found.push(first));
  const { user, system } = process.cpuUsage(startedUs);
  expect(problems.count).toBeGreaterThan(0);
  expect(found).toHaveLength(MESSAGES - 1);
  expect((user + system) / 1e6).toBeLessThan(30);
}, 120_000);
