import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { expect, test } from "vitest";
import { GroupCommit } from "../../../edge/buffer/group-commit.ts";
import { decodeGroup, messageBytes } from "../../../edge/buffer/message-group.ts";
import { messageOf, text } from "./fixtures.ts";

const LIMITS = { groupBytesMax: 1_000_000, waitingBytesMax: 4_000_000 };

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A disk whose commits end when the test says so. */
function heldDisk() {
  const commits: { payloads: string[]; count: number; end: (error?: Error) => void }[] = [];
  let running = 0;
  let runningMax = 0;
  return {
    commits,
    runningMax: () => runningMax,
    commit: (group: ArrayBuffer, count: number): Promise<void> => {
      runningMax = Math.max(runningMax, ++running);
      return new Promise<void>((resolve, reject) => {
        commits.push({
          payloads: decodeGroup(new Uint8Array(group)).map(({ payload }) => text(payload)),
          count,
          end: (error) => {
            running--;
            if (error === undefined) resolve();
            else reject(error);
          },
        });
      });
    },
  };
}

/** Puts messages and keeps what became of each, in the order in which it was heard. */
function puttingInto(group: GroupCommit) {
  const heard: string[] = [];
  return {
    heard,
    put: (payload: string, more = {}): void =>
      group.put(messageOf(payload, more), (error) =>
        heard.push(
          `${payload.slice(0, 8)} ${error === undefined ? "stored" : error instanceof PipelineError ? error.code : error.message}`,
        ),
      ),
  };
}

test("a message is settled only when its group is on disk", async () => {
  const disk = heldDisk();
  const { heard, put } = puttingInto(new GroupCommit({ commit: disk.commit, limits: LIMITS }));
  put("a");
  put("b");
  await turn();
  await turn();
  expect(disk.commits.map(({ payloads, count }) => ({ payloads, count }))).toEqual([
    { payloads: ["a", "b"], count: 2 },
  ]);
  expect(heard).toEqual([]);
  disk.commits[0]?.end();
  await turn();
  expect(heard).toEqual(["a stored", "b stored"]);
});

test("one commit runs at a time, and what comes meanwhile is the next group, in order", async () => {
  const disk = heldDisk();
  const group = new GroupCommit({ commit: disk.commit, limits: LIMITS });
  const { heard, put } = puttingInto(group);
  put("a");
  await turn();
  for (const payload of ["b", "c", "d"]) {
    put(payload);
    await turn();
  }
  expect(disk.commits).toHaveLength(1);
  disk.commits[0]?.end();
  await turn();
  expect(disk.commits.map(({ payloads }) => payloads)).toEqual([["a"], ["b", "c", "d"]]);
  disk.commits[1]?.end();
  await group.drain();
  expect(heard).toEqual(["a stored", "b stored", "c stored", "d stored"]);
  expect(disk.runningMax()).toBe(1);
});

test("when a commit fails every message of its group hears the error, and the next group goes on", async () => {
  const disk = heldDisk();
  const group = new GroupCommit({ commit: disk.commit, limits: LIMITS });
  const { heard, put } = puttingInto(group);
  put("a");
  put("b");
  await turn();
  put("c");
  disk.commits[0]?.end(new PipelineError("buffer.disk_full", "no room"));
  await turn();
  expect(heard).toEqual(["a buffer.disk_full", "b buffer.disk_full"]);
  disk.commits[1]?.end();
  await group.drain();
  expect(heard.at(-1)).toBe("c stored");
  expect(group.stats()).toEqual({ messages: 3, groups: 1, failedGroups: 1, refused: 0, waitingBytes: 0 });
});

test("a group is closed at its limit, and both groups are committed one after the other", async () => {
  const disk = heldDisk();
  const group = new GroupCommit({ commit: disk.commit, limits: { ...LIMITS, groupBytesMax: 1_000 } });
  const { heard, put } = puttingInto(group);
  for (let i = 0; i < 5; i++) put(`${i}${"x".repeat(300)}`);
  put(`5${"x".repeat(5_000)}`); // Larger than a group: goes alone.
  await turn();
  for (let i = 0; i < disk.commits.length; i++) {
    disk.commits[i]?.end();
    await turn();
  }
  await group.drain();
  expect(disk.commits.map(({ payloads }) => payloads.map((payload) => payload[0]).join(""))).toEqual([
    "01",
    "23",
    "4",
    "5",
  ]);
  expect(heard).toHaveLength(6);
  expect(disk.runningMax()).toBe(1);
});

test("what is over the waiting limit is refused at once and taken again when the disk has caught up", async () => {
  const disk = heldDisk();
  const limits = { groupBytesMax: 1_000, waitingBytesMax: 3_000 };
  const group = new GroupCommit({ commit: disk.commit, limits });
  const { heard, put } = puttingInto(group);
  for (let i = 0; i < 10; i++) put(`${i}${"x".repeat(500)}`);
  const refused = heard.length;
  expect(refused).toBeGreaterThan(0);
  expect(heard.every((line) => line.endsWith("buffer.full"))).toBe(true);
  expect(group.stats().waitingBytes).toBeLessThanOrEqual(limits.waitingBytesMax);
  await turn();
  for (let i = 0; i < disk.commits.length; i++) {
    disk.commits[i]?.end();
    await turn();
  }
  await group.drain();
  expect(heard).toHaveLength(10);
  expect(group.stats()).toMatchObject({ refused, messages: 10 - refused, waitingBytes: 0 });
  put("again");
  await turn();
  disk.commits.at(-1)?.end();
  await group.drain();
  expect(heard.at(-1)).toBe("again stored");
});

test("a message that can never be stored hears why and harms nobody", async () => {
  const disk = heldDisk();
  const group = new GroupCommit({ commit: disk.commit, limits: { ...LIMITS, waitingBytesMax: 300_000 } });
  const { heard, put } = puttingInto(group);
  put("before");
  put("topic", { topic: "ü".repeat(40_000) });
  put("x".repeat(300_001));
  put("after");
  expect(heard).toEqual(["topic buffer.message_invalid", "xxxxxxxx buffer.message_invalid"]);
  await turn();
  disk.commits[0]?.end();
  await group.drain();
  expect(disk.commits.map(({ payloads }) => payloads)).toEqual([["before", "after"]]);
  expect(heard.slice(2)).toEqual(["before stored", "after stored"]);
  expect(group.stats()).toMatchObject({ messages: 2, refused: 2 });
});

test("a message put while others are settled is stored too, and drain waits for it", async () => {
  const disk = heldDisk();
  const group = new GroupCommit({ commit: disk.commit, limits: LIMITS });
  let isSecondStored = false;
  group.put(messageOf("first"), () => group.put(messageOf("second"), () => (isSecondStored = true)));
  const drained = group.drain();
  await turn();
  disk.commits[0]?.end();
  await turn();
  disk.commits[1]?.end();
  await drained;
  expect(isSecondStored).toBe(true);
  await group.drain(); // Nothing is waiting: at once.
});

test("who asks for room first is never refused, and hears when there is room again", async () => {
  const disk = heldDisk();
  const limits = { groupBytesMax: 1_000, waitingBytesMax: 3_000 };
  const group = new GroupCommit({ commit: disk.commit, limits });
  const { heard, put } = puttingInto(group);
  let sent = 0;
  const send = (): void => {
    while (sent < 40 && group.hasRoom(messageBytes(messageOf("x".repeat(500)))))
      put(`${sent++} ${"x".repeat(490)}`);
    if (sent < 40) group.whenRoom(send);
  };
  send();
  expect(sent).toBeLessThan(10);
  await turn();
  for (let i = 0; i < disk.commits.length; i++) {
    disk.commits[i]?.end();
    await turn();
  }
  await group.drain();
  expect(heard.filter((line) => line.endsWith("stored"))).toHaveLength(40);
  expect(group.stats()).toMatchObject({ messages: 40, refused: 0 });
});

test("a message that can never fit is let through to be refused, and an idle group calls back at once", async () => {
  const group = new GroupCommit({ commit: heldDisk().commit, limits: { ...LIMITS, waitingBytesMax: 1_000 } });
  expect(group.hasRoom(5_000)).toBe(true);
  const { heard, put } = puttingInto(group);
  put("x".repeat(5_000));
  expect(heard).toEqual(["xxxxxxxx buffer.message_invalid"]);
  await new Promise<void>((resolve) => group.whenRoom(resolve));
});
