import { connect, type Socket } from "node:net";
import { generate, parser, type IConnectPacket, type IPublishPacket, type Packet } from "mqtt-packet";

/** A client that says exactly what it is told, packet by packet, right or wrong. */
export class WireClient {
  readonly #socket: Socket;
  readonly #packets: Packet[] = [];
  #waiting: { readonly cmd: string; readonly resolve: (packet: Packet) => void }[] = [];
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;

  constructor(address: string, protocolVersion: 4 | 5 = 4) {
    const [host = "", port] = address.split(":");
    this.#socket = connect({ host, port: Number(port), noDelay: true });
    this.#socket.on("error", () => undefined); // A reset is a way to be closed.
    this.closed = new Promise((resolve) => this.#socket.once("close", () => resolve()));
    const packets = parser({ protocolVersion });
    packets.on("packet", (packet: Packet) => this.#receive(packet));
    this.#socket.on("data", (bytes) => packets.parse(bytes));
  }

  /** Connects and waits for the CONNACK. */
  static async open(address: string, options: Partial<IConnectPacket> = {}): Promise<WireClient> {
    const client = new WireClient(address);
    client.connect(options);
    await client.next("connack");
    return client;
  }

  connect(options: Partial<IConnectPacket> = {}): void {
    this.send({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: 4,
      clientId: "wire",
      clean: true,
      keepalive: 0,
      ...options,
    });
  }

  publish(topic: string, payload: string | Buffer, options: Partial<IPublishPacket> = {}): void {
    this.send({
      cmd: "publish",
      topic,
      payload,
      qos: 1,
      messageId: 1,
      dup: false,
      retain: false,
      ...options,
    });
  }

  send(...packets: Packet[]): void {
    this.sendBytes(Buffer.concat(packets.map((packet) => generate(packet, { protocolVersion: 4 }))));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The next packet of this kind that was not yet asked for. */
  next(cmd: Packet["cmd"]): Promise<Packet> {
    const at = this.#packets.findIndex((packet) => packet.cmd === cmd);
    const [packet] = at < 0 ? [] : this.#packets.splice(at, 1);
    if (packet !== undefined) return Promise.resolve(packet);
    return new Promise((resolve) => this.#waiting.push({ cmd, resolve }));
  }

  /** Packets that came and were not asked for, by their kind. */
  get unread(): readonly string[] {
    return this.#packets.map((packet) => packet.cmd);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(packet: Packet): void {
    const waiting = this.#waiting.find(({ cmd }) => cmd === packet.cmd);
    this.#waiting = this.#waiting.filter((other) => other !== waiting);
    if (waiting === undefined) this.#packets.push(packet);
    else waiting.resolve(packet);
  }
}
