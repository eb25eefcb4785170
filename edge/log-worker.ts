// The thread of the log: appends groups, syncs them, says so, and hands them on to be decoded. It does nothing else, so
// that an acknowledgement waits for the disk and for nothing besides.
import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { present } from "@sluice/shared/runtime/assert.ts";
import { systemClock as clock } from "@sluice/shared/runtime/clock.ts";
import { writeCompiledCode } from "@sluice/shared/runtime/compiled-code.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { readBodies } from "./buffer/body.ts";
import { diskFailure } from "./buffer/disk-failure.ts";
import type { LogNotice } from "./buffer/log-notices.ts";
import { LogTail, segmentName } from "./buffer/log-tail.ts";
import { OffsetReserve } from "./buffer/offset-reserve.ts";
import { RECENT_BYTES_MAX } from "./buffer/recent-groups.ts";
import { Segment } from "./buffer/segment.ts";
import { StoredMessages } from "./buffer/stored-messages.ts";
import type { FromLog, GroupMessage, LogWorkerData, SettledMessage, ToLog } from "./log-messages.ts";
import { toFailure } from "./pipeline-messages.ts";

/** The longest that a group waits for room at the disk budget before its senders are refused, and between two looks. */
const ROOM_WAIT_MS = 5_000;
const ROOM_POLL_MS = 100;

const port = present(parentPort, "the log runs in a worker thread");
const tell = (message: FromLog, transfer: readonly ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer);

class LogServer {
  readonly #data: LogWorkerData;
  readonly #tail: LogTail;
  #room: LogWorkerData["room"];
  /** Segments that this thread has written to, as far as they are not counted elsewhere. */
  #own: Segment[];
  /** Full segments that are open here still, by their first offset. */
  readonly #full = new Map<number, Segment>();
  /** One group after the other. */
  #working: Promise<void> = Promise.resolve();
  #isStopping = false;
  /** After a disk has failed nothing is appended to files that were open then. */
  #isBroken = false;

  constructor(data: LogWorkerData) {
    this.#data = data;
    this.#room = data.room;
    const { dir, limits, bootId, newestOffset, nextOffset } = data;
    const bodies = readBodies(data.bufferDir, data.encryptionKeyFile);
    const newest = new Segment(join(dir, segmentName(newestOffset)), newestOffset, bodies);
    this.#own = [newest];
    const stored = new StoredMessages(limits.redeliveryEntriesMax);
    stored.restore(data.filter);
    this.#tail = new LogTail(
      {
        dir,
        limits,
        bootId,
        clock,
        bodies,
        hasRoom: (bytes) => this.#hasRoom(bytes),
        changed: (next, full) => this.#change(next, full),
        retired: ({ segment, ...retired }) =>
          this.#notify({ kind: "retired", offset: segment.firstOffset, ...retired }),
      },
      { newest, nextOffset, stored, reserve: new OffsetReserve(join(dir, "offsets")) },
    );
    data.groups.on("message", (message: GroupMessage) => {
      this.#working = this.#working.then(() => this.#take(message));
    });
  }

  #notify(notice: LogNotice, transfer: readonly ArrayBuffer[] = []): void {
    tell({ kind: "notice", notice }, transfer);
  }

  #change(newest: Segment, full: Segment | undefined): void {
    this.#own.push(newest);
    if (full !== undefined) this.#full.set(full.firstOffset, full);
    this.#notify({ kind: "changed", newestOffset: newest.firstOffset, fullOffset: full?.firstOffset });
  }

  async #take({ id, group }: GroupMessage): Promise<void> {
    const before = this.#tail.counts;
    const settled: SettledMessage = { id, failure: await this.#append(group) };
    this.#data.groups.postMessage(settled);
    if (this.#tail.counts !== before) this.#notify({ kind: "counted", counts: this.#tail.counts });
    await this.#tail.reserveAhead(); // While the next group comes together.
  }

  async #append(group: ArrayBuffer): Promise<SettledMessage["failure"]> {
    try {
      await this.#waitForRoom(group.byteLength);
      if (this.#isStopping) throw new PipelineError("gateway.stopped", "the gateway is stopping");
      if (this.#isBroken) throw new PipelineError("buffer.reopening", "the buffer is opened anew");
      const { first, count, stored } = this.#tail.append(new Uint8Array(group));
      if (stored !== undefined) this.#handOn({ first, count, stamp: stored.stamp }, stored.bytes);
      return undefined;
    } catch (error) {
      this.#isBroken ||= diskFailure(error) !== undefined;
      const failure = toFailure(error);
      tell({ kind: "refused", failure });
      return failure;
    }
  }

  #handOn(
    group: Pick<LogNotice & { kind: "stored" }, "first" | "count" | "stamp">,
    { buffer, length }: Uint8Array,
  ): void {
    const { handedOnBytes } = this.#data;
    const isMuch = Atomics.load(handedOnBytes, 0) + length > RECENT_BYTES_MAX;
    if (isMuch || !(buffer instanceof ArrayBuffer) || length !== buffer.byteLength) {
      this.#notify({ kind: "stored", ...group, group: undefined });
      return;
    }
    Atomics.add(handedOnBytes, 0, length);
    this.#notify({ kind: "stored", ...group, group: buffer }, [buffer]);
  }

  #hasRoom(bytes: number): boolean {
    const ownBytes = this.#own.reduce((sum, segment) => sum + segment.diskBytes(), 0);
    return this.#room.usedBytes + ownBytes + bytes <= this.#data.limits.diskBytesMax;
  }

  /** At the disk budget senders wait too, and do not all come again at once to be refused again. */
  async #waitForRoom(bytes: number): Promise<void> {
    const untilUs = clock.monotonicUs() + ROOM_WAIT_MS * 1_000;
    while (!this.#hasRoom(bytes) && clock.monotonicUs() < untilUs && !this.#isStopping) {
      tell({ kind: "room-wanted" });
      await clock.sleep(ROOM_POLL_MS);
    }
  }

  async hear(message: ToLog): Promise<void> {
    switch (message.kind) {
      case "room":
        this.#room = message.room;
        this.#own = this.#own.filter(({ firstOffset }) => firstOffset >= message.room.belowOffset);
        return;
      case "spare":
        this.#tail.takeSpare(message.path);
        return;
      case "release":
        this.#full.get(message.offset)?.rest();
        this.#full.delete(message.offset);
        this.#notify({ kind: "released", offset: message.offset });
        return;
      case "stop":
        this.#isStopping = true;
        await this.#working;
        for (const segment of this.#full.values()) segment.rest();
        this.#tail.close();
        tell({ kind: "stopped" });
        this.#data.groups.close();
        port.close();
    }
  }
}

const data: LogWorkerData = workerData;
const server = new LogServer(data);
port.on("message", (message: ToLog) => {
  server.hear(message).catch((error: unknown) => {
    throw error; // Ends the thread, which its owner hears of.
  });
});
writeCompiledCode();
