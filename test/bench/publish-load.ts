// A load of its own process: a few connections, each with a window of QoS 1 publishes on its way, for a while.
import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { generate } from "mqtt-packet";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    connections: { type: "string", default: "4" },
    window: { type: "string", default: "1000" },
    seconds: { type: "string", default: "3" },
  },
});

const WINDOW = Number(values.window);
const PAYLOAD_BYTES = 256;

/** A JSON payload of 256 bytes with four readings; only the time changes. */
function payload(): string {
  const body = {
    ts: Date.now(),
    vibration: 0.1234,
    current: 12.34,
    pressure: 3.21,
    temperature: 45.67,
    pad: "",
  };
  const bytes = JSON.stringify(body).length;
  return JSON.stringify({ ...body, pad: "x".repeat(PAYLOAD_BYTES - bytes) });
}

interface Tally {
  acknowledged: number;
  readonly latenciesMs: number[];
}

/** Publishes until `endAt`, never with more than the window unacknowledged. */
function runConnection(index: number, endAt: number, tally: Tally): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: "127.0.0.1", port: Number(values.port), noDelay: true });
    const sentAt = new Float64Array(65_536);
    let id = 0;
    let inFlight = 0;
    let rest = Buffer.alloc(0);
    const fill = (): void => {
      if (Date.now() >= endAt) {
        if (inFlight === 0) socket.end();
        return;
      }
      const packets: Buffer[] = [];
      const body = payload();
      for (; inFlight < WINDOW; inFlight++) {
        id = (id % 65_535) + 1;
        sentAt[id] = performance.now();
        packets.push(
          generate({
            cmd: "publish",
            topic: `plant/pump-${index}/telemetry`,
            payload: body,
            qos: 1,
            messageId: id,
            dup: false,
            retain: false,
          }),
        );
      }
      if (packets.length > 0) socket.write(Buffer.concat(packets));
    };
    socket.on("connect", () =>
      socket.write(
        generate({
          cmd: "connect",
          clientId: `load-${index}-${process.pid}`,
          keepalive: 60,
          clean: true,
          protocolId: "MQTT",
          protocolVersion: 4,
        }),
      ),
    );
    socket.on("data", (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      // CONNACK and PUBACK are both four bytes.
      for (; rest.length - at >= 4; at += 4) {
        if (rest[at] !== 0x40) continue;
        inFlight--;
        tally.acknowledged++;
        if (tally.acknowledged % 16 === 0)
          tally.latenciesMs.push(performance.now() - (sentAt[rest.readUInt16BE(at + 2)] ?? 0));
      }
      rest = rest.subarray(at);
      fill();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve());
  });
}

const tally: Tally = { acknowledged: 0, latenciesMs: [] };
const startedAt = Date.now();
const endAt = startedAt + Number(values.seconds) * 1_000;
await Promise.all(
  Array.from({ length: Number(values.connections) }, (_, index) => runConnection(index, endAt, tally)),
);
const sorted = tally.latenciesMs.toSorted((a, b) => a - b);
const quantile = (q: number): number => sorted[Math.floor((sorted.length - 1) * q)] ?? NaN;
console.log(
  JSON.stringify({
    acknowledged: tally.acknowledged,
    perSecond: tally.acknowledged / ((Date.now() - startedAt) / 1_000),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  }),
);
