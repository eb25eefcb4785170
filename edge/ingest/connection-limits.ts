/** Why a connection is closed before it said who it is. */
export type ConnectionRefusal = "connect.limit" | "connect.address_limit" | "connect.half_open";

/** What is needed of a socket. */
export interface LimitedSocket {
  readonly remoteAddress?: string | undefined;
  once(event: "close", listener: () => void): unknown;
  destroy(): unknown;
}

export interface ConnectionLimitSettings {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  readonly halfOpenMax: number;
}

/**
 * Limits on connections over all listeners: in total, of one address, and of those that have not said CONNECT.
 *
 * One more half-open connection closes the oldest of them: a client says CONNECT at once, whoever only opens
 * connections does not, and cannot keep others out so.
 */
export class ConnectionLimits {
  readonly #settings: ConnectionLimitSettings;
  readonly #refuse: (reason: ConnectionRefusal, address: string) => void;
  readonly #perAddress = new Map<string, number>();
  readonly #halfOpen = new Set<LimitedSocket>();
  #count = 0;

  constructor(
    settings: ConnectionLimitSettings,
    refuse: (reason: ConnectionRefusal, address: string) => void,
  ) {
    this.#settings = settings;
    this.#refuse = refuse;
  }

  /** Counts a new connection until it closes. Returns false, and destroys it, where it is one too many. */
  admit(socket: LimitedSocket): boolean {
    const address = socket.remoteAddress ?? "";
    const ofAddress = this.#perAddress.get(address) ?? 0;
    const reason =
      this.#count >= this.#settings.connectionsMax
        ? "connect.limit"
        : ofAddress >= this.#settings.connectionsPerAddressMax
          ? "connect.address_limit"
          : undefined;
    if (reason !== undefined) {
      this.#refuse(reason, address);
      socket.destroy();
      return false;
    }
    this.#count++;
    this.#perAddress.set(address, ofAddress + 1);
    socket.once("close", () => this.#closed(socket, address));
    this.#openHalf(socket);
    return true;
  }

  /** The connection has said CONNECT. */
  established(socket: LimitedSocket): void {
    this.#halfOpen.delete(socket);
  }

  #openHalf(socket: LimitedSocket): void {
    const [oldest] = this.#halfOpen;
    if (oldest !== undefined && this.#halfOpen.size >= this.#settings.halfOpenMax) {
      this.#halfOpen.delete(oldest);
      this.#refuse("connect.half_open", oldest.remoteAddress ?? "");
      oldest.destroy();
    }
    this.#halfOpen.add(socket);
  }

  #closed(socket: LimitedSocket, address: string): void {
    this.#count--;
    this.#halfOpen.delete(socket);
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
  }
}
