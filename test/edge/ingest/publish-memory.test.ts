import { connect } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { generate } from "mqtt-packet";
import { expect, test } from "vitest";
import type { Sink } from "../../../edge/ingest/source.ts";
import { brokerStarter } from "./started-broker.ts";

const start = brokerStarter();

/** A sink that keeps nothing. */
const forgetful: Sink = { put: (_message, settled) => settled(undefined) };

function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect === "function") collect();
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
}

test("a thousand clients that come, publish and go leave nothing behind", async () => {
  const { open, broker } = await start({}, {}, { sink: forgetful });
  const visit = async (i: number): Promise<void> => {
    const client = await open({ clientId: `device-${i}` });
    client.publish(`plant/${i}/state`, "x".repeat(1_000));
    await client.next("puback");
    if (i % 2 === 0) client.send({ cmd: "disconnect" });
    else client.destroy();
    await client.closed;
  };
  for (let i = 0; i < 300; i++) await visit(i);
  const before = heapBytes();
  for (let i = 0; i < 1_000; i++) await visit(i);
  await expect.poll(() => broker.stats().connections).toBe(0);
  // The test's own clients are about 3 kB each; a connection that stayed would be 10 and more.
  expect(heapBytes() - before).toBeLessThan(6_000_000);
});

test("a client that does not read its acknowledgements is read no further, and closed after its time", async () => {
  const clock = new SimulatedClock(1_700_000_000_000_000);
  const { broker, refused } = await start({ subscriberStallMs: 5_000 }, {}, { sink: forgetful, clock });
  const [host = "", port] = broker.address.split(":");
  const socket = connect({ host, port: Number(port) });
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const options = { cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clean: true } as const;
  socket.write(generate({ ...options, clientId: "deaf", keepalive: 0 }));
  const publish = generate({
    cmd: "publish",
    topic: "a",
    payload: "",
    qos: 1,
    messageId: 1,
    dup: false,
    retain: false,
  });
  const chunk = Buffer.concat(Array.from({ length: 10_000 }, () => publish));
  let isClosed = false;
  void closed.then(() => (isClosed = true));
  // As much as the two systems' buffers take; then time passes.
  const flood = (): void => {
    while (socket.writable && socket.write(chunk));
    if (!isClosed) socket.once("drain", flood);
  };
  flood();
  let before = -1;
  while (broker.stats().received !== before) {
    before = broker.stats().received;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(100_000_000);
  expect(isClosed).toBe(false);
  await clock.advance(6_000);
  socket.resume();
  await closed;
  expect(refused()).toEqual({ "subscriber.stalled": 1 });
});
