import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { IConnectPacket, Packet } from "mqtt-packet";
import { afterEach, beforeEach, expect, test } from "vitest";
import { hashPassword } from "../../../edge/ingest/password.ts";
import { brokerStarter, type StartedBroker } from "./started-broker.ts";
import { WireClient } from "./wire-client.ts";

// Goal: nobody gets in who does not belong, and whoever is kept out is counted by its reason. Method: real sockets,
// packets as a client writes them.

const start = brokerStarter();
const CHEAP = { ln: 1, r: 1, p: 1 };

let dir = "";
let usersFile = "";
let wires: WireClient[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sluice-admissions-"));
  usersFile = join(dir, "users");
});

afterEach(() => {
  for (const wire of wires) wire.destroy();
  wires = [];
  rmSync(dir, { recursive: true });
});

async function writeUsers(passwords: Readonly<Record<string, string>>): Promise<void> {
  const lines: string[] = [];
  for (const [name, password] of Object.entries(passwords))
    lines.push(`${name}:${await hashPassword(password, CHEAP)}`);
  writeFileSync(usersFile, lines.join("\n"));
}

function wire(address: string): WireClient {
  const client = new WireClient(address);
  wires.push(client);
  return client;
}

/** Tries to connect; returns the CONNACK's return code. */
async function tryConnect(
  { broker }: StartedBroker,
  options: Partial<IConnectPacket> = {},
): Promise<number | undefined> {
  const client = wire(broker.address);
  client.connect(options);
  const connack = await client.next("connack");
  if (connack.cmd !== "connack") throw new Error("it was asked for a CONNACK");
  if (connack.returnCode !== 0) await client.closed;
  return connack.returnCode;
}

const as = (
  username: string,
  password: string,
  options: Partial<IConnectPacket> = {},
): Partial<IConnectPacket> => ({
  clientId: username,
  username,
  password: Buffer.from(password),
  ...options,
});

async function subscribe(client: WireClient, ...topics: readonly string[]): Promise<Packet> {
  client.send({
    cmd: "subscribe",
    messageId: 9,
    subscriptions: topics.map((topic) => ({ topic, qos: 1 as const })),
  });
  return client.next("suback");
}

test("with a users file only a right name and password get in", async () => {
  await writeUsers({ ada: "correct", bob: "horse" });
  const started = await start({ usersFile });
  expect(await tryConnect(started, as("ada", "correct"))).toBe(0);
  expect(await tryConnect(started, as("ada", "horse"))).toBe(4);
  expect(await tryConnect(started, as("eve", "correct"))).toBe(4);
  expect(await tryConnect(started, { clientId: "x", username: "ada" })).toBe(4);
  expect(await tryConnect(started, { clientId: "x" })).toBe(5);
  expect(started.refused()).toEqual({ "connect.credentials": 3, "connect.anonymous": 1 });
});

test("neither a password nor a hash is ever logged", async () => {
  await writeUsers({ ada: "correct" });
  const started = await start({ usersFile, failedLoginsPerMinMax: 1 });
  await tryConnect(started, as("ada", "secret-guess-1"));
  await tryConnect(started, as("ada", "secret-guess-2"));
  await tryConnect(started, as("ada", "correct"));
  const logged = started.warnings.join("\n");
  expect(logged).toContain("wrong");
  expect(logged).not.toMatch(/secret-guess|correct|\$scrypt/);
});

test("without a users file a name is only what somebody says, and fills no pattern", async () => {
  const started = await start({ access: [{ allow: ["publish"], topics: ["{username}/#"] }] });
  const client = wire(started.broker.address);
  client.connect(as("ada", "any"));
  expect(await client.next("connack")).toMatchObject({ returnCode: 0 });
  client.publish("ada/x", "1");
  await client.closed;
  expect(started.refused()).toEqual({ "topic.denied": 1 });
});

test("guesses beyond the limit are not looked at, and are counted apart", async () => {
  await writeUsers({ ada: "correct" });
  const started = await start({ usersFile, failedLoginsPerMinMax: 2 });
  const codes: (number | undefined)[] = [];
  for (let i = 0; i < 4; i++) codes.push(await tryConnect(started, as("ada", `guess ${i}`)));
  expect(codes).toEqual([4, 4, 3, 3]);
  expect(started.refused()).toEqual({ "connect.credentials": 2, "connect.slowed": 2 });
});

test("a publish that no rule allows closes the connection without an acknowledgement", async () => {
  await writeUsers({ "pump-1": "one" });
  const started = await start({
    usersFile,
    access: [
      { allow: ["publish"], topics: ["plant/{username}/#"] },
      { deny: ["publish"], topics: ["plant/+/secret"] },
    ],
  });
  for (const [i, [topic, qos]] of (
    [
      ["plant/pump-2/speed", 0],
      ["plant/pump-2/speed", 1],
      ["plant/pump-1/secret", 2],
      ["other", 1],
    ] as const
  ).entries()) {
    const client = await started.open(as("pump-1", "one"));
    client.publish("plant/pump-1/speed", "1", { messageId: 1 });
    await client.next("puback");
    client.publish(topic, "2", { qos, messageId: 2 });
    await client.closed;
    expect(client.unread).toEqual([]);
    expect(started.refused()).toEqual({ "topic.denied": i + 1 });
  }
  expect(started.sink.texts()).toEqual(Array.from({ length: 4 }, () => "plant/pump-1/speed 1"));
});

test("a subscription that is not allowed is answered with 0x80, beside one that is", async () => {
  const started = await start({ access: [{ allow: ["subscribe"], topics: ["plant/{clientid}/#"] }] });
  const client = await started.open({ clientId: "panel" });
  expect(await subscribe(client, "plant/panel/#", "plant/#", "#", "plant/+/x")).toMatchObject({
    granted: [1, 0x80, 0x80, 0x80],
  });
  expect(started.refused()).toEqual({ "subscribe.denied": 3 });
});

test("what was refused is not kept for a session either", async () => {
  const started = await start({
    access: [
      { allow: ["subscribe"], topics: ["mine/#"] },
      { allow: ["publish"], topics: ["#"] },
    ],
  });
  const options = { clientId: "panel", clean: false };
  const panel = await started.open(options);
  expect(await subscribe(panel, "mine/a", "secret/a")).toMatchObject({ granted: [1, 0x80] });
  panel.destroy();
  await panel.closed;
  const device = await started.open({ clientId: "device" });
  device.publish("secret/a", "1", { messageId: 1 });
  device.publish("mine/a", "2", { messageId: 2 });
  await device.next("puback");
  await device.next("puback");
  const back = await started.open(options);
  expect(await back.next("publish")).toMatchObject({ topic: "mine/a" });
  back.send({ cmd: "pingreq" });
  await back.next("pingresp");
  expect(back.unread).toEqual([]);
});

test.each(["+", "#", "a/b", "#a"])(
  "the client id %j is refused where rules name client ids, and welcome where none do",
  async (clientId) => {
    const strict = await start({ access: [{ allow: ["publish"], topics: ["plant/{clientid}"] }] });
    expect(await tryConnect(strict, { clientId })).toBe(2);
    expect(strict.refused()).toEqual({ "connect.client_id": 1 });
    expect(await tryConnect(await start(), { clientId })).toBe(0);
  },
);

test("a client id belongs to the user who has it, connected or with a session", async () => {
  await writeUsers({ ada: "one", eve: "two" });
  const started = await start({ usersFile });
  const ada = await started.open(as("ada", "one", { clientId: "pump-1", clean: false }));
  expect(await tryConnect(started, as("eve", "two", { clientId: "pump-1" }))).toBe(2);
  ada.send({ cmd: "pingreq" });
  await ada.next("pingresp"); // It was not thrown out.
  ada.destroy();
  await ada.closed;
  expect(await tryConnect(started, as("eve", "two", { clientId: "pump-1", clean: false }))).toBe(2);
  expect(await tryConnect(started, as("ada", "one", { clientId: "pump-1", clean: false }))).toBe(0);
  expect(started.refused()).toEqual({ "connect.client_id_taken": 2 });
});

test("a user takes its client id back from whoever is nameless, and gets nothing of what was kept for that one", async () => {
  await writeUsers({ ada: "one" });
  const started = await start({ usersFile, allowAnonymousRemote: true });
  const nameless = await started.open({ clientId: "pump-1", clean: false });
  await subscribe(nameless, "any/#");
  const ada = wire(started.broker.address);
  ada.connect(as("ada", "one", { clientId: "pump-1", clean: false }));
  expect(await ada.next("connack")).toMatchObject({ returnCode: 0, sessionPresent: false });
  await nameless.closed;
  expect(await tryConnect(started, { clientId: "pump-1" })).toBe(2);
});

test("a user who is taken out of the file is disconnected, and the others stay", async () => {
  await writeUsers({ ada: "one", bob: "two" });
  const started = await start({ usersFile, recheckS: 1 });
  const [ada, bob] = [await started.open(as("ada", "one")), await started.open(as("bob", "two"))];
  removeLine(usersFile, "ada");
  await ada.closed;
  bob.send({ cmd: "pingreq" });
  await bob.next("pingresp");
  expect(await tryConnect(started, as("ada", "one"))).toBe(4);
  expect(started.refused()).toEqual({ "session.revoked": 1, "connect.credentials": 1 });
});

test("a users file that cannot be read any more changes nothing but the status", async () => {
  await writeUsers({ ada: "one" });
  const started = await start({ usersFile, recheckS: 1 });
  writeFileSync(usersFile, "ada:in the clear");
  await expect.poll(() => started.broker.stats().problem, { timeout: 5_000 }).toContain("those from before");
  expect(started.broker.stats().problem).not.toContain("in the clear");
  expect(await tryConnect(started, as("ada", "one"))).toBe(0);
});

test("passwords that cross the network in the clear are warned of", async () => {
  await writeUsers({ ada: "one" });
  const open = await start({ usersFile, host: "0.0.0.0" });
  expect(open.warnings.join()).toContain("in the clear");
  const local = await start({ usersFile });
  expect(local.warnings).toEqual([]);
});

test("a broker whose users file is missing does not start", async () => {
  await expect(start({ usersFile })).rejects.toMatchObject({ code: "ingest.users_unreadable" });
});

test("a will is refused when it is announced: too large, or to a topic that is not allowed", async () => {
  const started = await start({ willBytesMax: 10, access: [{ allow: ["publish"], topics: ["state/#"] }] });
  const will = (topic: string, bytes: number): Partial<IConnectPacket> => ({
    will: { topic, payload: Buffer.alloc(bytes, "x"), qos: 1, retain: false },
  });
  expect(await tryConnect(started, will("state/a", 10))).toBe(0);
  expect(await tryConnect(started, will("state/a", 11))).toBe(5);
  expect(await tryConnect(started, will("other", 1))).toBe(5);
  expect(started.refused()).toEqual({ "connect.will_too_large": 1, "connect.will": 1 });
});

test("a client id that is too long is refused", async () => {
  const started = await start({ clientIdBytesMax: 23 });
  expect(await tryConnect(started, { clientId: "x".repeat(23) })).toBe(0);
  expect(await tryConnect(started, { clientId: "x".repeat(24) })).toBe(2);
  expect(started.refused()).toEqual({ "connect.client_id": 1 });
});

test.each([
  ["topic.too_long", "x".repeat(17)],
  ["topic.too_deep", "a/b/c/d"],
])("a publish is refused as %s", async (reason, topic) => {
  const { open, refused, sink } = await start({ topicBytesMax: 16, topicLevelsMax: 3 });
  const client = await open();
  client.publish(topic, "1");
  await client.closed;
  expect(refused()).toEqual({ [reason]: 1 });
  expect(sink.puts).toEqual([]);
});

test("one subscription too many is answered with 0x80, and unsubscribing makes room", async () => {
  const { open, refused } = await start({ subscriptionsMax: 2 });
  for (const clean of [true, false]) {
    const client = await open({ clientId: `panel-${clean}`, clean });
    expect(await subscribe(client, "a", "b", "c")).toMatchObject({ granted: [1, 1, 0x80] });
    client.send({ cmd: "unsubscribe", messageId: 10, unsubscriptions: ["a"] });
    await client.next("unsuback");
    expect(await subscribe(client, "c", "d")).toMatchObject({ granted: [1, 0x80] });
  }
  expect(refused()).toEqual({ "subscribe.limit": 4 });
});

test("one connection too many of an address is closed, and a place that is left is free again", async () => {
  const started = await start({ connectionsPerAddressMax: 2 });
  const first = await started.open({ clientId: "a" });
  await started.open({ clientId: "b" });
  await wire(started.broker.address).closed;
  expect(started.refused()).toEqual({ "connect.address_limit": 1 });
  first.destroy();
  await first.closed;
  await expect.poll(() => started.broker.stats().connections).toBe(1);
  expect(await tryConnect(started, { clientId: "c" })).toBe(0);
});

test("connections that say nothing push each other out, never a client that said CONNECT", async () => {
  const started = await start({ halfOpenMax: 3 });
  const client = await started.open({ clientId: "device" });
  const silent = await Promise.all(Array.from({ length: 10 }, () => openSilently(started.broker.address)));
  await expect.poll(() => started.refused()).toEqual({ "connect.half_open": 7 });
  expect(await tryConnect(started, { clientId: "late" })).toBe(0);
  client.send({ cmd: "pingreq" });
  await client.next("pingresp");
  for (const socket of silent) socket.destroy();
});

test("a client that asks for no keep-alive gets the longest there is, and is closed after one and a half of it", async () => {
  const started = await start({ keepAliveMaxS: 1 });
  const client = await started.open({ clientId: "device", keepalive: 0 });
  const beganMs = performance.now();
  await client.closed;
  expect(performance.now() - beganMs).toBeGreaterThan(1_000);
  expect(started.refused()).toEqual({});
});

test("sessions of clients that are away are bounded, and the longest away ends first", async () => {
  const started = await start({ sessionsMax: 2 });
  for (const clientId of ["a", "b", "c"]) {
    const client = await started.open({ clientId, clean: false });
    await subscribe(client, "x");
    client.send({ cmd: "disconnect" });
    client.destroy();
    await client.closed;
    await expect.poll(() => started.broker.stats().connections).toBe(0);
  }
  await expect.poll(started.refused).toEqual({ "session.limit": 1 });
  const present: unknown[] = [];
  for (const clientId of ["a", "b", "c"]) {
    const client = wire(started.broker.address);
    client.connect({ clientId, clean: false });
    present.push(Reflect.get(await client.next("connack"), "sessionPresent"));
  }
  expect(present).toEqual([false, true, true]);
});

test("a flood of wrong passwords neither stops publishes nor keeps a known client out", async () => {
  const lines = [`ada:${await hashPassword("correct", { ln: 14, r: 8, p: 1 })}`];
  writeFileSync(usersFile, lines.join("\n"));
  const started = await start({ usersFile, failedLoginsPerMinMax: 10_000 });
  const ada = await started.open(as("ada", "correct"));
  const flooding = new AbortController();
  let guesses = 0;
  const flood = Array.from({ length: 50 }, async (_, i) => {
    while (!flooding.signal.aborted) {
      const client = new WireClient(started.broker.address);
      client.connect(as("ada", `guess ${guesses++}`, { clientId: `guess-${i}` }));
      await Promise.race([client.closed, client.next("connack")]);
      client.destroy();
    }
  });
  const latencies: number[] = [];
  for (let i = 1; i <= 300; i++) {
    const beganMs = performance.now();
    ada.publish("plant/ada", "1", { messageId: i });
    await ada.next("puback");
    latencies.push(performance.now() - beganMs);
  }
  ada.destroy();
  await ada.closed;
  expect(await tryConnect(started, as("ada", "correct"))).toBe(0); // Its password is remembered.
  flooding.abort();
  await started.broker.stop();
  await Promise.all(flood);
  expect(guesses).toBeGreaterThanOrEqual(50);
  const sorted = latencies.toSorted((a, b) => a - b);
  expect(sorted[Math.floor(sorted.length * 0.95)]).toBeLessThan(100);
}, 30_000);

async function openSilently(address: string): Promise<Socket> {
  const [host = "", port] = address.split(":");
  const socket = connect({ host, port: Number(port) });
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return socket;
}

function removeLine(file: string, name: string): void {
  const lines = readFileSync(file, "utf8").split("\n");
  writeFileSync(file, lines.filter((line) => !line.startsWith(`${name}:`)).join("\n"));
}
