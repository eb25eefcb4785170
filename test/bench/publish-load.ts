// A load of its own process: raw sockets and packets that are encoded once, so that it takes little of the machine.
import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { generate } from "mqtt-packet";
import { PAYLOADS } from "./payloads.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    connections: { type: "string", default: "4" },
    window: { type: "string", default: "1000" },
    seconds: { type: "string", default: "3" },
    payload: { type: "string", default: "json" },
    /** Messages a second over all connections; 0: as many as the windows allow. */
    rate: { type: "string", default: "0" },
    /** Connects, one publish and a disconnect, so many times a second, in place of lasting connections. */
    churn: { type: "string", default: "0" },
  },
});

const PORT = Number(values.port);
const CONNECTIONS = Number(values.connections);
const WINDOW = Number(values.window);
const SECONDS = Number(values.seconds);
const RATE = Number(values.rate);
const CHURN = Number(values.churn);
const TICK_MS = 2;

const payload = PAYLOADS[values.payload] ?? fail(`no such payload: ${values.payload}`);

function fail(message: string): never {
  throw new Error(message);
}

/** Counts acknowledgements, and how long they took. */
class Tally {
  /** Milliseconds from a publish's turn to its acknowledgement; doubles as more come. */
  #latenciesMs = new Float32Array(65_536);
  #count = 0;

  get acknowledged(): number {
    return this.#count;
  }

  add(latencyMs: number): void {
    if (this.#count === this.#latenciesMs.length) {
      const grown = new Float32Array(this.#count * 2);
      grown.set(this.#latenciesMs);
      this.#latenciesMs = grown;
    }
    this.#latenciesMs[this.#count++] = latencyMs;
  }

  sorted(): Float32Array {
    return this.#latenciesMs.slice(0, this.#count).sort();
  }
}

/** All connections read into the same memory: what is in it is looked at before the next read. */
const READ_BYTES = 65_536;
const NOTHING = Buffer.alloc(0);
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** One connection that publishes QoS 1 with packet ids in a row. */
class Publisher {
  readonly #socket: Socket;
  /** The publish of this connection; packet id and event time are written into copies. */
  readonly #packet: Buffer;
  #timeUs = Date.now() * 1_000;
  /** By packet id, as far as there can be so many in flight. */
  readonly #dueAtMs: Float64Array;
  readonly #dueMask: number;
  readonly #tally: Tally;
  #id = 0;
  #inFlight = 0;
  #rest: Buffer = NOTHING;
  onRoom: () => void = () => undefined;
  readonly ready: Promise<void>;
  readonly closed: Promise<void>;

  constructor(index: number, tally: Tally) {
    this.#tally = tally;
    this.#dueMask = Math.min(2 ** Math.ceil(Math.log2(WINDOW + 1)), 65_536) - 1;
    this.#dueAtMs = new Float64Array(this.#dueMask + 1);
    const topic = `plant/pump-${index}/telemetry`;
    this.#packet = generate({
      cmd: "publish",
      topic,
      payload: payload.text,
      qos: 1,
      messageId: 1,
      dup: false,
      retain: false,
    });
    const { promise: ready, resolve: isReady } = Promise.withResolvers<void>();
    const { promise: closed, resolve: isClosed, reject } = Promise.withResolvers<void>();
    this.ready = ready;
    this.closed = closed;
    this.#socket = connect({
      host: "127.0.0.1",
      port: PORT,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (bytesRead) => {
          this.#receive(readBuffer.subarray(0, bytesRead), isReady);
          return true;
        },
      },
    });
    this.#socket.once("connect", () =>
      this.#socket.write(generate({ cmd: "connect", clientId: `load-${index}-${process.pid}`, clean: true })),
    );
    this.#socket.once("close", () => isClosed());
    this.#socket.once("error", reject);
  }

  get room(): number {
    return WINDOW - this.#inFlight;
  }

  /** Publishes `count` messages in one write. */
  publish(count: number, dueAtMs: number): void {
    const packet = this.#packet;
    const bodyAt = packet.length - payload.text.length;
    // One alone needs no memory of its own where what was written before it has gone out.
    const isInPlace = count === 1 && this.#socket.writableLength === 0;
    const packets = isInPlace ? packet : Buffer.allocUnsafe(packet.length * count);
    for (let i = 0, at = 0; i < count; i++, at += packet.length) {
      this.#id = (this.#id % 65_535) + 1;
      this.#dueAtMs[this.#id & this.#dueMask] = dueAtMs;
      if (!isInPlace) packet.copy(packets, at);
      packets.writeUInt16BE(this.#id, at + bodyAt - 2);
      packets.write(payload.time(this.#timeUs), at + bodyAt + payload.timeAt, "latin1");
      this.#timeUs += payload.spanUs;
    }
    this.#inFlight += count;
    this.#socket.write(packets);
  }

  end(): void {
    this.#socket.end(generate({ cmd: "disconnect" }));
  }

  get idle(): boolean {
    return this.#inFlight === 0;
  }

  /** CONNACK and PUBACK are four bytes each. */
  #receive(chunk: Buffer, isReady: () => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const nowMs = performance.now();
    let at = 0;
    for (; at + 4 <= bytes.length; at += 4) {
      if (bytes[at] === 0x20) {
        isReady();
        continue;
      }
      this.#inFlight--;
      const id = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
      this.#tally.add(nowMs - (this.#dueAtMs[id & this.#dueMask] ?? nowMs));
    }
    this.#rest = at === bytes.length ? NOTHING : Buffer.from(bytes.subarray(at));
    this.onRoom();
  }
}

/** Keeps every window full until `endAtMs`. */
async function saturate(publishers: readonly Publisher[], endAtMs: number): Promise<void> {
  for (const publisher of publishers) {
    const fill = (): void => {
      if (performance.now() < endAtMs) {
        if (publisher.room > 0) publisher.publish(publisher.room, performance.now());
      } else if (publisher.idle) publisher.end();
    };
    publisher.onRoom = fill;
    fill();
  }
  await Promise.all(publishers.map(({ closed }) => closed));
}

/** Publishes at a fixed rate; what finds no room waits, and its wait counts as latency. */
async function pace(publishers: readonly Publisher[], endAtMs: number): Promise<void> {
  const startMs = performance.now();
  let published = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const nowMs = performance.now();
      const due = Math.floor((Math.min(nowMs, endAtMs) - startMs) * (RATE / 1_000));
      for (let tries = 0; published < due && tries < publishers.length;) {
        const publisher = publishers[published % publishers.length];
        if (publisher !== undefined && publisher.room > 0) {
          publisher.publish(1, startMs + (published * 1_000) / RATE);
          published++;
          tries = 0;
        } else tries = publishers.length;
      }
      if (nowMs < endAtMs) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
  for (const publisher of publishers) {
    publisher.onRoom = () => {
      if (publisher.idle) publisher.end();
    };
    publisher.onRoom();
  }
  await Promise.all(publishers.map(({ closed }) => closed));
}

/** Connects, publishes once, waits for the acknowledgement and disconnects, again and again. */
async function churn(tally: Tally, endAtMs: number): Promise<number> {
  let connects = 0;
  let index = 0;
  const startMs = performance.now();
  const underWay = new Set<Promise<void>>();
  while (performance.now() < endAtMs) {
    const due = Math.floor((performance.now() - startMs) * (CHURN / 1_000));
    for (; connects < due && underWay.size < CONNECTIONS; connects++) {
      const publisher = new Publisher(index++, tally);
      const once = publisher.ready.then(() => {
        publisher.publish(1, performance.now());
        publisher.onRoom = () => publisher.end();
        return publisher.closed;
      });
      underWay.add(once);
      void once.finally(() => underWay.delete(once));
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  await Promise.all(underWay);
  return connects;
}

const tally = new Tally();
const startedAtMs = performance.now();
const endAtMs = startedAtMs + SECONDS * 1_000;
let connects = CONNECTIONS;
if (CHURN > 0) connects = await churn(tally, endAtMs);
else {
  const publishers = Array.from({ length: CONNECTIONS }, (_, index) => new Publisher(index, tally));
  await Promise.all(publishers.map(({ ready }) => ready));
  if (RATE > 0) await pace(publishers, endAtMs);
  else await saturate(publishers, endAtMs);
}
const latencies = tally.sorted();
const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? NaN;
const elapsedS = (performance.now() - startedAtMs) / 1_000;
console.log(
  JSON.stringify({
    acknowledged: tally.acknowledged,
    perSecond: tally.acknowledged / elapsedS,
    elapsedS,
    connects,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  }),
);
process.exit(0);
