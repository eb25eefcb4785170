import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { BrokerSettings } from "./settings.ts";

/** A TCP server with a limit on connections, which knows all of its sockets. */
export class Listener {
  readonly #settings: BrokerSettings;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(
    settings: BrokerSettings,
    hooks: { readonly connected: (socket: Socket) => void; readonly overLimit: () => void },
  ) {
    this.#settings = settings;
    this.#server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: settings.tcpKeepAliveMs,
    });
    this.#server.maxConnections = settings.connectionsMax;
    this.#server.on("drop", hooks.overLimit);
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      hooks.connected(socket);
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** Returns host:port. Throws PipelineError "ingest.port_in_use" or "ingest.address_refused". */
  listen(): Promise<string> {
    const { host, port } = this.#settings;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (cause) => reject(listenError(cause, host, port)));
      this.#server.listen({ host, port }, () => resolve(hostAndPort(this.#server.address())));
    });
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

function hostAndPort(address: AddressInfo | string | null): string {
  if (address === null || typeof address === "string") return String(address);
  return `${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

function listenError(cause: Error & { readonly code?: string }, host: string, port: number): PipelineError {
  if (cause.code === "EADDRINUSE")
    return new PipelineError("ingest.port_in_use", `${host}:${port} is in use by another program`, {
      hint: "Stop the other program (another broker?), or choose another ingest.broker.port; 0 takes a free one.",
    });
  return new PipelineError("ingest.address_refused", `the broker cannot listen on ${host}:${port}`, {
    cause,
    hint: "Give ingest.broker.host an address of this machine, and a port above 1023 or the right to use it.",
  });
}
