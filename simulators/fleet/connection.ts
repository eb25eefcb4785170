import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { generate, parser as createParser } from "mqtt-packet";
import type { Packet } from "mqtt-packet";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { BrokerAddress } from "./broker-address.ts";

export interface ConnectionOptions {
  readonly address: BrokerAddress;
  readonly clientId: string;
  /** The session ends with the connection. */
  readonly clean: boolean;
  readonly keepAliveS: number;
  /** Longest wait for the connection and the broker's CONNACK. */
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
  /** A PUBACK came. */
  readonly acknowledged: (packetId: number) => void;
  /** Once, after the connection was open: why it no longer is. */
  readonly closed: (reason: Error) => void;
}

/** What the broker says by a CONNACK's return code (MQTT 3.1.1 §3.2.2.3). */
const REFUSALS: Readonly<Record<number, string>> = {
  1: "it does not speak MQTT 3.1.1",
  2: "it does not take this client id",
  3: "it is unavailable",
  4: "the user name or password is wrong",
  5: "this client may not connect",
};

/** One MQTT 3.1.1 connection of a publisher: from CONNACK to the socket's end. Never reconnects. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #ended = new AbortController();
  /** Packets of this turn of the event loop; written in one go at its end. */
  #batch: Buffer[] = [];
  #written: (() => void)[] = [];
  #lastSentUs: number;
  #lastReceivedUs: number;

  private constructor(options: ConnectionOptions, socket: Socket) {
    this.#options = options;
    this.#socket = socket;
    this.#lastSentUs = this.#lastReceivedUs = options.clock.monotonicUs();
  }

  /**
   * Connects and waits for the CONNACK.
   *
   * Throws PipelineError "mqtt.unavailable" (not reachable, or no answer) or "mqtt.refused" (the broker said no).
   */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const { host, port } = options.address;
    const connection = new Connection(options, connect({ host, port, noDelay: true }));
    const timer = new AbortController();
    void connection.#giveUp(timer.signal);
    try {
      await connection.#handshake(`broker at ${host}:${port}`);
    } finally {
      timer.abort();
    }
    return connection;
  }

  get isOpen(): boolean {
    return !this.#ended.signal.aborted;
  }

  /** Sends a packet at the end of this turn; `written` is called once the operating system has it. */
  send(packet: Buffer, written?: () => void): void {
    if (this.#batch.length === 0) setImmediate(() => this.#flush());
    this.#batch.push(packet);
    if (written !== undefined) this.#written.push(written);
  }

  /** Says goodbye and resolves when the socket is closed. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.once("close", () => resolve());
    this.#flush();
    this.#socket.end(generate({ cmd: "disconnect" }));
    await Promise.race([promise, this.#options.clock.sleep(1_000, this.#ended.signal)]);
    this.#socket.destroy();
  }

  /** Cuts the connection without a word. */
  destroy(reason: Error): void {
    this.#socket.destroy(reason);
  }

  #flush(): void {
    const { socket, batch, written } = { socket: this.#socket, batch: this.#batch, written: this.#written };
    if (batch.length === 0 || socket.destroyed) return;
    this.#batch = [];
    this.#written = [];
    this.#lastSentUs = this.#options.clock.monotonicUs();
    socket.write(batch.length === 1 && batch[0] !== undefined ? batch[0] : Buffer.concat(batch), (error) => {
      if (error === undefined || error === null) for (const done of written) done();
    });
  }

  async #giveUp(handshakeOver: AbortSignal): Promise<void> {
    const { clock, connectTimeoutMs } = this.#options;
    await clock.sleep(connectTimeoutMs, handshakeOver);
    if (!handshakeOver.aborted) this.destroy(new Error(`no answer within ${connectTimeoutMs} ms`));
  }

  async #handshake(name: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let failure: Error | undefined;
    let open = false;
    this.#socket.on("error", (error) => (failure ??= error));
    this.#socket.once("close", () => {
      this.#ended.abort();
      const reason = failure ?? new Error("the broker closed the connection");
      const error =
        reason instanceof PipelineError
          ? reason
          : new PipelineError("mqtt.unavailable", `${name} is not reachable`, {
              cause: reason,
              hint: "Check the address, and that the broker runs.",
            });
      if (open) this.#options.closed(error);
      else reject(error);
    });
    this.#listen((returnCode) => {
      if (returnCode === 0) {
        open = true;
        resolve();
        return;
      }
      const why = REFUSALS[returnCode] ?? `return code ${returnCode}`;
      this.#socket.destroy(new PipelineError("mqtt.refused", `${name} refused the connection: ${why}`));
    });
    this.#socket.write(this.#connectPacket());
    await promise;
    void this.#keepAlive();
  }

  #connectPacket(): Buffer {
    const { clientId, clean, keepAliveS, address } = this.#options;
    const { username, password } = address;
    return generate({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: 4,
      clientId,
      clean,
      keepalive: keepAliveS,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password: Buffer.from(password) }),
    });
  }

  #listen(connected: (returnCode: number) => void): void {
    const { clock, acknowledged } = this.#options;
    const parser = createParser({ protocolVersion: 4 });
    parser.on("packet", (packet: Packet) => {
      if (packet.cmd === "connack") connected(packet.returnCode ?? -1);
      // Everything else that a broker may say to a publisher (PINGRESP) matters only by having come.
      else if (packet.cmd === "puback" && packet.messageId !== undefined) acknowledged(packet.messageId);
    });
    parser.on("error", (cause: unknown) => {
      this.#socket.destroy(
        new PipelineError("mqtt.unavailable", "the broker sent what is not MQTT", { cause }),
      );
    });
    this.#socket.on("data", (bytes) => {
      this.#lastReceivedUs = clock.monotonicUs();
      parser.parse(typeof bytes === "string" ? Buffer.from(bytes) : bytes);
    });
  }

  /** MQTT 3.1.1 §3.1.2.10: something is sent in every keep-alive, and a broker that falls silent is given up. */
  async #keepAlive(): Promise<void> {
    const { keepAliveS, clock } = this.#options;
    if (keepAliveS === 0) return;
    const keepAliveUs = keepAliveS * 1_000_000;
    while (!this.#ended.signal.aborted) {
      await clock.sleep(keepAliveS * 250, this.#ended.signal);
      const nowUs = clock.monotonicUs();
      if (nowUs - this.#lastReceivedUs > 1.5 * keepAliveUs)
        this.destroy(new Error(`the broker was silent for ${1.5 * keepAliveS} s`));
      else if (nowUs - this.#lastSentUs >= keepAliveUs / 2 || nowUs - this.#lastReceivedUs >= keepAliveUs / 2)
        this.send(generate({ cmd: "pingreq" }));
    }
  }
}
