import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** The network between a publisher and a gateway, which can stand still and lose what the gateway answers. */
export class Link {
  readonly #server: Server;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  #losesAnswers = false;
  readonly #publishers = new Set<Socket>();
  #passedBytes = 0;
  #limitBytes = Infinity;
  #reached: () => void = () => undefined;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
  }

  /** Listens on a free port of loopback and passes everything on to `gatewayPort`. */
  static async open(gatewayPort: number): Promise<Link> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const link = new Link(server, typeof address === "object" && address !== null ? address.port : 0);
    server.on("connection", (publisher) => link.#join(publisher, gatewayPort));
    return link;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  /** What publishers have sent to the gateway, in all. */
  get passedBytes(): number {
    return this.#passedBytes;
  }

  /** Lets about so many bytes more of publishers pass, then no more; resolves at that moment. `cut` ends it. */
  pass(bytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#limitBytes = this.#passedBytes + bytes;
    this.#reached = resolve;
    for (const publisher of this.#publishers) publisher.resume();
    return promise;
  }

  /** From now on no acknowledgement arrives, until `cut`. */
  loseAnswers(): void {
    this.#losesAnswers = true;
  }

  /** Ends every connection; new ones lose nothing. */
  cut(): void {
    this.#losesAnswers = false;
    this.#limitBytes = Infinity;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #join(publisher: Socket, gatewayPort: number): void {
    const gateway = connect(gatewayPort, "127.0.0.1");
    this.#publishers.add(publisher);
    publisher.on("data", (chunk) => {
      gateway.write(chunk);
      this.#passedBytes += chunk.length;
      if (this.#passedBytes < this.#limitBytes) return;
      publisher.pause();
      this.#reached();
    });
    gateway.on("data", (answer) => {
      if (!this.#losesAnswers) publisher.write(answer);
    });
    for (const [one, other] of [
      [publisher, gateway],
      [gateway, publisher],
    ] as const) {
      this.#sockets.add(one);
      // An end that breaks is closed next, and takes the other with it.
      one.on("error", () => undefined);
      one.once("close", () => {
        this.#sockets.delete(one);
        this.#publishers.delete(one);
        other.destroy();
      });
    }
  }
}
