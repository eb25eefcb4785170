import { constants } from "node:crypto";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import {
  createServer as createTlsServer,
  type Server as TlsServer,
  type TlsOptions,
  type TLSSocket,
} from "node:tls";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { TlsMaterial } from "./tls.ts";

/** An address to listen on. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Where the address is set, for whoever has to change it. */
  readonly section: string;
  readonly connectionsMax: number;
  readonly tcpKeepAliveMs: number;
  readonly tls: TlsEndpoint | undefined;
}

export interface TlsEndpoint {
  readonly material: TlsMaterial;
  readonly requestsCertificate: boolean;
  readonly requiresCertificate: boolean;
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly handshakeTimeoutMs: number;
}

export interface ListenerHooks {
  /** Whether a new connection may go on. */
  readonly admits: (socket: Socket) => boolean;
  /** A connection whose bytes are MQTT: after the handshake, where there is one. */
  readonly connected: (socket: Socket) => void;
  readonly overLimit: () => void;
  /** A handshake that came to nothing. */
  readonly handshakeFailed: (socket: TLSSocket, error: Error) => void;
}

/** A server with a limit on connections, with or without TLS, which knows all of its sockets. */
export class Listener {
  readonly #endpoint: Endpoint;
  readonly #server: Server;
  readonly #tlsServer: TlsServer | undefined;
  readonly #sockets = new Set<Socket>();

  constructor(endpoint: Endpoint, hooks: ListenerHooks) {
    this.#endpoint = endpoint;
    const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: endpoint.tcpKeepAliveMs };
    if (endpoint.tls === undefined) this.#server = createServer(options);
    else {
      this.#tlsServer = createTlsServer({ ...options, ...tlsOptions(endpoint.tls) });
      this.#tlsServer.on("secureConnection", hooks.connected);
      this.#tlsServer.on("tlsClientError", (error, socket) => hooks.handshakeFailed(socket, error));
      this.#server = this.#tlsServer;
    }
    this.#server.maxConnections = endpoint.connectionsMax;
    this.#server.on("drop", hooks.overLimit);
    this.#server.on("connection", (socket) => {
      if (!hooks.admits(socket)) return;
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      if (endpoint.tls === undefined) hooks.connected(socket);
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Returns host:port. Throws PipelineError "ingest.port_in_use" or "ingest.address_refused". */
  listen(): Promise<string> {
    const { host, port } = this.#endpoint;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (cause) => reject(listenError(cause, this.#endpoint)));
      this.#server.listen({ host, port }, () => resolve(hostAndPort(this.#server.address())));
    });
  }

  /** Shows new certificates from the next handshake on. */
  renew(tls: TlsEndpoint): void {
    this.#tlsServer?.setSecureContext(tlsOptions(tls));
  }

  /** Takes no more connections; resolves when the last of those that are there is gone. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  destroySockets(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

const tlsOptions = (tls: TlsEndpoint): TlsOptions => ({
  ...tls.material.options,
  requestCert: tls.requestsCertificate,
  rejectUnauthorized: tls.requiresCertificate,
  minVersion: tls.minVersion,
  handshakeTimeout: tls.handshakeTimeoutMs,
  // A client that renegotiates makes the server work for nothing; TLS 1.3 has done away with it.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
});

function hostAndPort(address: AddressInfo | string | null): string {
  if (address === null || typeof address === "string") return String(address);
  return `${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

function listenError(
  cause: Error & { readonly code?: string },
  { host, port, section }: Endpoint,
): PipelineError {
  if (cause.code === "EADDRINUSE")
    return new PipelineError("ingest.port_in_use", `${host}:${port} is in use by another program`, {
      hint: `Stop the other program (another broker?), or choose another ${section}.port; 0 takes a free one.`,
    });
  return new PipelineError("ingest.address_refused", `the broker cannot listen on ${host}:${port}`, {
    cause,
    hint: `Give ${section}.host an address of this machine, and a port above 1023 or the right to use it.`,
  });
}
