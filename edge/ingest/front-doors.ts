import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { present } from "@sluice/shared/runtime/assert.ts";
import { describeError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { ConnectionLimits, type ConnectionRefusal } from "./connection-limits.ts";
import { Listener, type TlsEndpoint } from "./listener.ts";
import { RereadFiles } from "./reread-files.ts";
import { isLoopback } from "./loopback.ts";
import type { BrokerSettings } from "./settings.ts";
import { expiryProblem, readTls } from "./tls.ts";

/** Why a connection came to nothing before MQTT. */
export type DoorRefusal = ConnectionRefusal | "connect.tls" | "connect.timeout";

type TlsSettings = NonNullable<BrokerSettings["tls"]>;

export interface FrontDoorsOptions {
  readonly settings: BrokerSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly connected: (socket: Socket) => void;
  readonly refuse: (reason: DoorRefusal, address: string, detail: string) => void;
}

/** The addresses at which clients connect, plain and with TLS, under one set of limits. */
export class FrontDoors {
  readonly #options: FrontDoorsOptions;
  readonly #limits: ConnectionLimits;
  #listeners: readonly Listener[] = [];
  #certificates: RereadFiles | undefined;
  #expiresAtUs: number | undefined;

  constructor(options: FrontDoorsOptions) {
    this.#options = options;
    this.#limits = new ConnectionLimits(options.settings, (reason, address) =>
      options.refuse(reason, address, DETAILS[reason]),
    );
  }

  get connections(): number {
    return this.#listeners.reduce((sum, { connections }) => sum + connections, 0);
  }

  /** Why somebody must look after the certificates; undefined while nobody must. */
  get problem(): string | undefined {
    const { settings, clock } = this.#options;
    const warningDays = settings.tls?.expiryWarningDays ?? 0;
    const expiry = expiryProblem("the broker's certificate", this.#expiresAtUs, {
      nowUs: clock.nowUs(),
      warningDays,
    });
    return this.#certificates?.problem ?? expiry;
  }

  /**
   * Returns where it listens, as host:port, with TLS as mqtts://host:port; several are joined by a comma.
   *
   * Throws PipelineError "ingest.tls_unreadable", "ingest.tls_invalid", "ingest.port_in_use" or
   * "ingest.address_refused".
   */
  async listen(): Promise<string> {
    const { plainTcp, tls, host, usersFile } = this.#options.settings;
    if (plainTcp && usersFile !== undefined && !isLoopback(host))
      this.#options.log.warn(
        { host },
        "passwords cross the network in the clear: set ingest.broker.tls, and plainTcp: false",
      );
    const plain = plainTcp ? [this.#plainListener()] : [];
    const secure = tls === undefined ? [] : [this.#tlsListener(tls)];
    this.#listeners = [...plain, ...secure];
    const addresses: string[] = [];
    try {
      for (const listener of plain) addresses.push(await listener.listen());
      for (const listener of secure) addresses.push(`mqtts://${await listener.listen()}`);
    } catch (error) {
      await this.close();
      throw error;
    }
    return addresses.join(", ");
  }

  /** A connection has said CONNECT. */
  established(socket: Socket): void {
    this.#limits.established(socket);
  }

  /** Takes no more connections; resolves when the last of those that are there is gone. */
  async close(): Promise<void> {
    const closed = this.#listeners.map((listener) => listener.close());
    await this.#certificates?.stop();
    await Promise.all(closed);
  }

  destroySockets(): void {
    for (const listener of this.#listeners) listener.destroySockets();
  }

  #plainListener(): Listener {
    const { host, port } = this.#options.settings;
    return this.#listener({ host, port, section: "ingest.broker", tls: undefined });
  }

  #tlsListener(settings: TlsSettings): Listener {
    const { clock, log } = this.#options;
    const { host, port, certFile, keyFile, caFile, crlFile } = settings;
    let listener: Listener | undefined;
    let tls: TlsEndpoint | undefined;
    const load = (): void => {
      tls = this.#readTls(settings);
      listener?.renew(tls);
    };
    this.#certificates = new RereadFiles({
      files: [certFile, keyFile, caFile, crlFile].filter((file) => file !== undefined),
      load,
      everyS: this.#options.settings.recheckS,
      clock,
      log,
    });
    this.#certificates.start();
    listener = this.#listener({
      host,
      port,
      section: "ingest.broker.tls",
      tls: present(tls, "its files were read"),
    });
    return listener;
  }

  #readTls(settings: TlsSettings): TlsEndpoint {
    const { certFile, keyFile, caFile, crlFile, requireClientCertificate, minVersion } = settings;
    const material = readTls("ingest.broker.tls", { certFile, keyFile, caFile, crlFile });
    this.#expiresAtUs = material.expiresAtUs;
    return {
      material,
      requestsCertificate: caFile !== undefined,
      requiresCertificate: requireClientCertificate,
      minVersion,
      handshakeTimeoutMs: this.#options.settings.connectTimeoutMs,
    };
  }

  #listener(endpoint: {
    readonly host: string;
    readonly port: number;
    readonly section: string;
    readonly tls: TlsEndpoint | undefined;
  }): Listener {
    const { settings, connected, refuse } = this.#options;
    const { connectionsMax, tcpKeepAliveMs } = settings;
    return new Listener(
      { ...endpoint, connectionsMax, tcpKeepAliveMs },
      {
        admits: (socket) => this.#limits.admit(socket),
        connected,
        overLimit: () => refuse("connect.limit", "", DETAILS["connect.limit"]),
        handshakeFailed: (socket, error) => this.#handshakeFailed(socket, error),
      },
    );
  }

  #handshakeFailed(socket: TLSSocket, error: Error): void {
    const { refuse } = this.#options;
    const code: unknown = Reflect.get(error, "code");
    const address = socket.remoteAddress ?? "";
    // Where its certificate is refused, Node only says that the connection ended.
    const certificate: unknown = socket.authorizationError;
    if (code === "ERR_TLS_HANDSHAKE_TIMEOUT")
      refuse("connect.timeout", address, "The TLS handshake took longer than connectTimeoutMs.");
    else if (typeof certificate === "string")
      refuse("connect.tls", address, `Its certificate: ${certificate}`);
    else if (code !== "ECONNRESET")
      refuse("connect.tls", address, `The TLS handshake failed: ${describeError(error)}`);
    socket.destroy();
  }
}

const DETAILS: Readonly<Record<ConnectionRefusal, string>> = {
  "connect.limit": "Raise ingest.broker.connectionsMax.",
  "connect.address_limit": "Raise ingest.broker.connectionsPerAddressMax.",
  "connect.half_open": "It did not say CONNECT, and others came: ingest.broker.halfOpenMax.",
};
