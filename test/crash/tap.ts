import { connect, createServer, type Server, type Socket } from "node:net";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { type Packet, parser as createParser } from "mqtt-packet";

export interface TapOptions {
  readonly port: number;
  /** Port of the broker on this machine. */
  readonly broker: number;
  readonly protocolVersion: 4 | 5;
  /** The gateway has acknowledged reading `n` of the device to the broker. */
  readonly acknowledged: (device: string, n: number) => void;
}

/**
 * Stands between a gateway and its broker and sees what the gateway acknowledges: PUBACK, or PUBREC at QoS 2.
 *
 * It passes every byte on as it is, and closes both sides when either closes.
 */
export class Tap {
  readonly #options: TapOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #heardUs = 0;
  #onItsWay = new Map<number, { readonly device: string; readonly n: number }>();

  private constructor(options: TapOptions) {
    this.#options = options;
    this.#server = createServer((gateway) => this.#join(gateway));
  }

  static async open(options: TapOptions): Promise<Tap> {
    const tap = new Tap(options);
    await new Promise<void>((resolve, reject) => {
      tap.#server.once("error", reject);
      tap.#server.listen(options.port, "127.0.0.1", resolve);
    });
    return tap;
  }

  /** Messages that the broker has delivered on this connection and the gateway has not acknowledged. */
  get onItsWay(): number {
    return this.#onItsWay.size;
  }

  /** How long the broker has delivered nothing. */
  get quietMs(): number {
    return (systemClock.monotonicUs() - this.#heardUs) / 1_000;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(gateway: Socket): void {
    const broker = connect({ port: this.#options.broker, host: "127.0.0.1", noDelay: true });
    this.#onItsWay = new Map();
    const { protocolVersion } = this.#options;
    const delivered = createParser({ protocolVersion });
    const answered = createParser({ protocolVersion });
    delivered.on("packet", (packet: Packet) => this.#delivered(packet));
    answered.on("packet", (packet: Packet) => this.#answered(packet));
    // Half a packet at the end of a connection is no concern of ours.
    for (const parser of [delivered, answered]) parser.on("error", () => undefined);
    broker.on("data", (bytes: Buffer) => {
      delivered.parse(bytes);
      gateway.write(bytes);
    });
    gateway.on("data", (bytes: Buffer) => {
      answered.parse(bytes);
      broker.write(bytes);
    });
    for (const [socket, other] of [
      [gateway, broker],
      [broker, gateway],
    ] as const) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.once("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }

  #delivered(packet: Packet): void {
    if (packet.cmd !== "publish" || packet.messageId === undefined) return;
    this.#heardUs = systemClock.monotonicUs();
    const device = packet.topic.split("/")[1] ?? "";
    const { n } = JSON.parse(packet.payload.toString()) as { n: number };
    this.#onItsWay.set(packet.messageId, { device, n });
  }

  #answered(packet: Packet): void {
    if ((packet.cmd !== "puback" && packet.cmd !== "pubrec") || packet.messageId === undefined) return;
    const message = this.#onItsWay.get(packet.messageId);
    if (message === undefined) return;
    this.#onItsWay.delete(packet.messageId);
    this.#options.acknowledged(message.device, message.n);
  }
}
