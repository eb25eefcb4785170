import { connect, type Socket } from "node:net";
import { present } from "@sluice/shared/runtime/assert.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import type { Random } from "@sluice/shared/runtime/random.ts";
import { generate, type Packet, parser as createParser } from "mqtt-packet";

export interface DeviceOptions {
  readonly name: string;
  /** host:port */
  readonly broker: string;
  readonly qos: 1 | 2;
  readonly random: Random;
  /** Event time of reading number 0; each further one is ten milliseconds later. */
  readonly startMs: number;
  /** Most bytes of padding in a payload. */
  readonly paddingBytesMax?: number;
  /** What reading n says besides. */
  readonly metrics?: (n: number) => Readonly<Record<string, number>>;
  readonly keepAliveS?: number;
  /** Called at each acknowledgement. */
  readonly acknowledged?: () => void;
}

/** Most publishes on their way without an acknowledgement. */
const WINDOW = 60;
const BURST_MAX = 8;
const PAUSE_MS_MAX = 20;
const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_MS_MIN = 5;
const RECONNECT_MS_MAX = 40;
/** Packet ids come round again soon, so that a wrong redelivery filter would show. */
const PACKET_ID_MAX = 400;

interface OnItsWay {
  readonly n: number;
  readonly packetId: number;
  readonly topic: string;
  readonly payload: string;
  sent: boolean;
  /** QoS 2: PUBREC came, only the PUBREL is sent again from here on (MQTT 3.1.1 §4.3.3). */
  received: boolean;
}

/**
 * A device that numbers its readings and remembers every acknowledgement: PUBACK at QoS 1, PUBCOMP at QoS 2.
 *
 * What is not acknowledged is sent again after each reconnect, in order, with DUP and the same packet id
 * (MQTT 3.1.1 §4.4). Reading n is always the same reading.
 */
export class Device {
  readonly name: string;
  /** Acknowledgements in the order in which they came would be 0, 1, 2, …; they may overtake each other. */
  readonly acknowledged = new Set<number>();
  resent = 0;
  reconnects = 0;
  #next = 0;
  readonly #options: DeviceOptions;
  readonly #onItsWay = new Map<number, OnItsWay>();
  readonly #stopping = new AbortController();
  #paused = true;
  #running: Promise<unknown> = Promise.resolve();
  #packetId = 0;
  #socket: Socket | undefined;
  #isOpen = false;
  #heardUs = 0;

  constructor(options: DeviceOptions) {
    this.#options = options;
    this.name = options.name;
  }

  /** How many readings were published, acknowledged or not. */
  get published(): number {
    return this.#next;
  }

  get unacknowledged(): number {
    return this.#onItsWay.size;
  }

  start(): void {
    this.#paused = false;
    this.#running = Promise.all([this.#keepConnected(), this.#measure()]);
  }

  /** No new readings from here on; what is on its way is still brought home. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  /** Readings that somebody else has acknowledged, nobody knows to whom, count no more. */
  countOnly(numbers: ReadonlySet<number>): void {
    for (const n of this.acknowledged) if (!numbers.has(n)) this.acknowledged.delete(n);
    for (const n of numbers) this.acknowledged.add(n);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#socket?.destroy();
    await this.#running;
  }

  async #measure(): Promise<void> {
    const { random } = this.#options;
    while (!this.#stopping.signal.aborted) {
      await systemClock.sleep(random.next() * PAUSE_MS_MAX, this.#stopping.signal);
      for (let i = 1 + random.int(BURST_MAX); i > 0; i--)
        if (!this.#paused && this.#isOpen && this.#onItsWay.size < WINDOW) this.#publish();
    }
  }

  #publish(): void {
    const { random, startMs, name, paddingBytesMax = 300, metrics } = this.#options;
    const n = this.#next++;
    do this.#packetId = (this.#packetId % PACKET_ID_MAX) + 1;
    while (this.#onItsWay.has(this.#packetId));
    const padding = random.int(paddingBytesMax + 1);
    const message: OnItsWay = {
      n,
      packetId: this.#packetId,
      topic: `plant/${name}/telemetry`,
      payload: JSON.stringify({
        ts: startMs + n * 10,
        n,
        ...(padding === 0 ? {} : { padding: "x".repeat(padding) }),
        ...metrics?.(n),
      }),
      sent: false,
      received: false,
    };
    this.#onItsWay.set(message.packetId, message);
    this.#send(message);
  }

  #send(message: OnItsWay): void {
    const { packetId, topic, payload, sent, received } = message;
    if (sent) this.resent += 1;
    message.sent = true;
    const { qos } = this.#options;
    this.#socket?.write(
      received
        ? generate({ cmd: "pubrel", messageId: packetId })
        : generate({ cmd: "publish", topic, payload, qos, dup: sent, retain: false, messageId: packetId }),
    );
  }

  async #keepConnected(): Promise<void> {
    const { random } = this.#options;
    for (let attempt = 0; !this.#stopping.signal.aborted; attempt++) {
      if (await this.#connection()) this.reconnects += 1;
      await systemClock.sleep(RECONNECT_MS_MIN + random.next() * RECONNECT_MS_MAX, this.#stopping.signal);
    }
  }

  /** One connection, to its end; whether it was ever open. */
  #connection(): Promise<boolean> {
    const { broker, name, keepAliveS = 30 } = this.#options;
    const [host = "", port = ""] = broker.split(":");
    const socket = connect({ host, port: Number(port), noDelay: true });
    this.#socket = socket;
    this.#heardUs = systemClock.monotonicUs();
    let wasOpen = false;
    const parser = createParser({ protocolVersion: 4 });
    parser.on("packet", (packet: Packet) => {
      if (packet.cmd === "connack" && packet.returnCode === 0) {
        wasOpen = true;
        this.#opened();
      } else this.#receive(packet);
    });
    parser.on("error", () => socket.destroy());
    socket.on("data", (bytes: Buffer) => {
      this.#heardUs = systemClock.monotonicUs();
      parser.parse(bytes);
    });
    socket.on("error", () => undefined); // A broker that is away is what this is about.
    socket.write(
      generate({
        cmd: "connect",
        protocolId: "MQTT",
        protocolVersion: 4,
        clientId: name,
        clean: false,
        keepalive: keepAliveS,
      }),
    );
    const closed = new AbortController();
    void this.#watch(socket, keepAliveS, closed.signal);
    return new Promise((resolve) => {
      socket.once("close", () => {
        closed.abort();
        this.#isOpen = false;
        resolve(wasOpen);
      });
    });
  }

  #opened(): void {
    for (const message of this.#onItsWay.values()) this.#send(message);
    this.#isOpen = true;
  }

  #receive(packet: Packet): void {
    if (packet.messageId === undefined) return;
    const message = this.#onItsWay.get(packet.messageId);
    if (packet.cmd === "pubrec") {
      if (message !== undefined) message.received = true;
      this.#socket?.write(generate({ cmd: "pubrel", messageId: packet.messageId }));
    } else if (packet.cmd === "puback" || packet.cmd === "pubcomp") this.#settle(message);
  }

  #settle(message: OnItsWay | undefined): void {
    if (message === undefined) return;
    this.#onItsWay.delete(message.packetId);
    this.acknowledged.add(message.n);
    this.#options.acknowledged?.();
  }

  /** Gives a silent broker up after one and a half keep-alives, and asks it in between. */
  async #watch(socket: Socket, keepAliveS: number, closed: AbortSignal): Promise<void> {
    while (!closed.aborted) {
      await systemClock.sleep(keepAliveS * 250, closed);
      const silentMs = (systemClock.monotonicUs() - this.#heardUs) / 1_000;
      if (silentMs > Math.min(CONNECT_TIMEOUT_MS, keepAliveS * 1_500) && this.#onItsWay.size > 0)
        socket.destroy();
      else if (silentMs > keepAliveS * 500) socket.write(generate({ cmd: "pingreq" }));
    }
  }
}

/** Numbers of readings as ranges, for people: "3-7, 12". */
export function ranges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const found: { from: number; to: number }[] = [];
  for (const n of sorted) {
    const last = found.at(-1);
    if (last !== undefined && n <= last.to + 1) last.to = n;
    else found.push({ from: n, to: n });
  }
  const shown = found.slice(0, 20).map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
  return present([...shown, ...(found.length > 20 ? ["…"] : [])].join(", "), "a text");
}
