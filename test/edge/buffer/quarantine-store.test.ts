import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { QuarantineRow } from "@sluice/shared/contract/quarantine.ts";
import type { SpoolPlace } from "@sluice/shared/contract/spool-topic.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { Bodies } from "../../../edge/buffer/body.ts";
import { quarantineCommand } from "../../../edge/buffer/quarantine-command.ts";
import { quarantineLimit, QuarantineStore } from "../../../edge/buffer/quarantine-store.ts";
import { codeOf, messageOf, tempFolder } from "./fixtures.ts";

const bodies = new Bodies();
const EPOCH = "5b2c7f6e-0d0f-4c57-9a3e-3f8f3a3e9c11";
const PAYLOAD_BYTES = 1_000;

/** The quarantine of a gateway that has run. */
function openStore(dir: string): QuarantineStore {
  const store = QuarantineStore.open(dir, { bodies, log: silentLog });
  onTestFinished(() => store.close());
  return store;
}

/** Keeps messages [from, end); how many older ones were given up. */
function keep(
  store: QuarantineStore,
  from: number,
  end: number,
  more = { bytesMax: 1e9, topic: "t" },
): number {
  const messages = Array.from({ length: end - from }, (_, i) => ({
    ...messageOf(String(from + i).padEnd(PAYLOAD_BYTES), { topic: more.topic }),
    offset: from + i,
  }));
  const rows = messages.map((message): QuarantineRow => ({
    offset: message.offset,
    index: 0,
    receivedAtUs: message.receivedAtUs,
    client: message.client,
    topic: message.topic,
    reason: "payload.malformed",
    detail: "It is not JSON.",
    payload: message.payload,
    payloadBytes: message.payload.length,
  }));
  return store.keep(messages, rows, { epoch: EPOCH, bytesMax: more.bytesMax, stored: new Map() });
}

const offsetsOf = (store: QuarantineStore): readonly number[] =>
  Array.from(
    store.messages(() => undefined),
    ({ offset }) => offset,
  );

/** What a command printed, told and answered, and what it handed over. */
async function ask(dir: string, ...args: readonly string[]) {
  const asked = { printed: "", told: "", failed: false, spooled: [] as SpoolPlace[] };
  const command = quarantineCommand({
    print: (text) => (asked.printed += text),
    tell: (text) => (asked.told += text),
    fail: () => (asked.failed = true),
    open: () => ({
      store: QuarantineStore.attach(dir, bodies),
      spool: { write: (place) => Promise.resolve(void asked.spooled.push(place)) },
    }),
  });
  await command.parseAsync([...args, "--config", "gateway.yaml"], { from: "user" });
  return asked;
}

/** Changes a byte of a message's body, as a broken sector would. */
function damage(dir: string, offset: number): void {
  const file = new Database(join(dir, "quarantine.db"));
  const { body } = file.prepare("SELECT body FROM message WHERE offset = ?").get(offset) as { body: Buffer };
  body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
  file.prepare("UPDATE message SET body = ? WHERE offset = ?").run(body, offset);
  file.close();
}

test("what a command has released makes room in the gateway that runs, and nothing is given up for it", async () => {
  const dir = tempFolder();
  const store = openStore(dir);
  const bytesMax = 60 * PAYLOAD_BYTES;
  expect(keep(store, 0, 50, { bytesMax, topic: "t" })).toBe(0);
  expect(await ask(dir, "release", "--all")).toMatchObject({ printed: "50 messages are decoded again" });
  expect(keep(store, 50, 90, { bytesMax, topic: "t" })).toBe(0);
  expect(offsetsOf(store)).toHaveLength(40);
  // Beyond the limit the oldest go, and only as many as must.
  expect(keep(store, 90, 120, { bytesMax, topic: "t" })).toBeGreaterThan(0);
  expect(offsetsOf(store).at(-1)).toBe(119);
});

test("released messages give their room back to the disk", async () => {
  const dir = tempFolder();
  const store = openStore(dir);
  keep(store, 0, 2_000);
  const { size } = statSync(join(dir, "quarantine.db"));
  const fullBytes = Math.max(size, store.diskBytes());
  await ask(dir, "release", "--all");
  keep(store, 2_000, 2_001);
  expect(statSync(join(dir, "quarantine.db")).size).toBeLessThan(fullBytes / 10);
});

test("the log of a flood of refused messages does not stay on disk", () => {
  const dir = tempFolder();
  const store = openStore(dir);
  keep(store, 0, 3_000);
  expect(statSync(join(dir, "quarantine.db-wal")).size).toBe(0);
  expect(store.diskBytes()).toBeLessThan(3_000 * PAYLOAD_BYTES * 2);
});

test("the quarantine takes an eighth of the disk budget at most, whatever is set", () => {
  expect(quarantineLimit({ quarantineBytesMax: 67_108_864, diskBytesMax: 16_777_216 })).toBe(2_097_152);
  expect(quarantineLimit({ quarantineBytesMax: 65_536, diskBytesMax: 16_777_216 })).toBe(65_536);
});

test("a damaged message is named and hides none of the others", async () => {
  const dir = tempFolder();
  keep(openStore(dir), 0, 5);
  damage(dir, 2);
  const listed = await ask(dir, "ls", "--json");
  expect(JSON.parse(listed.printed)).toMatchObject([{ reason: "payload.malformed", messages: 4 }]);
  expect(listed).toMatchObject({ failed: true, told: expect.stringMatching(/^1 of them .*: offsets 2$/) });
  expect(await ask(dir, "show", "4")).toMatchObject({ failed: false, told: "" });
  expect(await ask(dir, "show", "2")).toMatchObject({
    failed: true,
    printed: expect.stringContaining("can be read"),
  });
  const released = await ask(dir, "release", "--all");
  expect(released).toMatchObject({ printed: "4 messages are decoded again", failed: true });
  expect(released.spooled.map(({ number }) => number)).toEqual([0, 1, 2, 3]);
});

test("a release that was interrupted is ended under its own name by the next one", async () => {
  const dir = tempFolder();
  const store = openStore(dir);
  keep(store, 0, 4);
  store.release([{ epoch: EPOCH, offset: 1 }], "first");
  // What another release has taken is not taken again.
  store.release([{ epoch: EPOCH, offset: 1 }], "second");
  expect(store.releases()).toEqual(["first"]);
  const released = await ask(dir, "release", "--offset", "3");
  expect(released.printed).toBe(
    "2 messages are decoded again, some of an earlier release that was interrupted",
  );
  expect(released.spooled).toEqual([
    { job: "first", number: 0 },
    { job: expect.stringMatching(/-/), number: 0 },
  ]);
  expect(offsetsOf(store)).toEqual([0, 2]);
});

test("names that would steer a terminal are shown, not sent", async () => {
  const dir = tempFolder();
  keep(openStore(dir), 0, 1, { bytesMax: 1e9, topic: "plant/\u001b[2J\u009b" });
  for (const args of [["ls"], ["show", "0"]])
    expect((await ask(dir, ...args)).printed).toContain("plant/\\u001b[2J\\u009b");
});

test("a folder without a quarantine is refused and gets none; a damaged file says what to do", () => {
  const dir = tempFolder();
  const attach = (): unknown => QuarantineStore.attach(dir, bodies);
  expect(codeOf(attach)).toBe("config.buffer_dir");
  expect(existsSync(join(dir, "quarantine.db"))).toBe(false);
  writeFileSync(join(dir, "quarantine.db"), "no database at all".repeat(500));
  expect(codeOf(attach)).toBe("buffer.damaged");
  expect(attach).toThrow(expect.objectContaining({ hint: expect.stringContaining("buffer repair") }));
});
