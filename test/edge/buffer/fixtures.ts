import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { onTestFinished } from "vitest";
import { GroupWriter } from "../../../edge/buffer/message-group.ts";
import { SegmentLog, type SegmentLogOptions } from "../../../edge/buffer/segment-log.ts";

export const LIMITS = { segmentBytesMax: 65_536, diskBytesMax: 1_073_741_824, redeliveryEntriesMax: 10_000 };

export const ALL = { messages: 1_000_000, bytes: 1_000_000_000 };

export function tempFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-buffer-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function messageOf(payload: string, more: Partial<IncomingMessage> = {}): IncomingMessage {
  return {
    client: "pump-1",
    packetId: 1,
    qos: 1,
    dup: false,
    retain: false,
    topic: "plant/pump-1/telemetry",
    payload: new TextEncoder().encode(payload),
    receivedAtUs: 1_700_000_000_000_000,
    ...more,
  };
}

export function groupOf(messages: readonly IncomingMessage[]): Uint8Array {
  const writer = new GroupWriter();
  for (const message of messages) writer.append(message);
  return new Uint8Array(writer.take());
}

/** Groups of `size` messages with payloads "<from>", "<from + 1>", … that are `padding` bytes longer than that. */
export function numbered(from: number, size: number, padding = 0): Uint8Array {
  return groupOf(
    Array.from({ length: size }, (_, i) =>
      messageOf(`${from + i}${" ".repeat(padding)}`, { packetId: ((from + i) % 65_535) + 1 }),
    ),
  );
}

export function openLog(dir: string, more: Partial<SegmentLogOptions> = {}): SegmentLog {
  return SegmentLog.open({
    dir,
    limits: LIMITS,
    floorOffset: 0,
    bootId: "boot",
    otherBytes: () => 0,
    clock: new SimulatedClock(1_700_000_000_000_000),
    log: refusingLog(),
    ...more,
  });
}

/** What a log holds, as "offset payload". */
export const contents = (log: SegmentLog, from = 0): string[] =>
  log.read(from, ALL).map(({ offset, payload }) => `${offset} ${text(payload)}`);

export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).trimEnd();

/** The first characters of a thrown error's code, or of whatever it is. */
export function codeOf(work: () => unknown): string {
  try {
    work();
    return "nothing was thrown";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

/** A log for code that must find nothing to say. */
export function refusingLog(): Log {
  const refuse = (fields: object, message: string): void => {
    throw new Error(`unexpected log line: ${message} ${JSON.stringify(fields)}`);
  };
  return { debug: refuse, info: refuse, warn: refuse, error: refuse };
}
