/** Why a connection is closed before it said who it is. */
export type ConnectionRefusal = "connect.limit" | "connect.address_limit" | "connect.half_open";

/** What is needed of a socket. */
export interface LimitedSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
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
  /** By address and port, which are the same for a connection and for the TLS above it. Oldest first. */
  readonly #halfOpen = new Map<string, LimitedSocket>();
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
    const peer = peerOf(socket);
    socket.once("close", () => this.#closed(peer, address));
    this.#openHalf(peer, socket);
    return true;
  }

  /** The connection has said CONNECT. */
  established(socket: LimitedSocket): void {
    this.#halfOpen.delete(peerOf(socket));
  }

  #openHalf(peer: string, socket: LimitedSocket): void {
    const [oldest] = this.#halfOpen;
    if (oldest !== undefined && this.#halfOpen.size >= this.#settings.halfOpenMax) {
      const [oldestPeer, oldestSocket] = oldest;
      this.#halfOpen.delete(oldestPeer);
      this.#refuse("connect.half_open", oldestSocket.remoteAddress ?? "");
      oldestSocket.destroy();
    }
    this.#halfOpen.set(peer, socket);
  }

  #closed(peer: string, address: string): void {
    this.#count--;
    this.#halfOpen.delete(peer);
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, left);
  }
}

const peerOf = ({ remoteAddress, remotePort }: LimitedSocket): string => `${remoteAddress} ${remotePort}`;
