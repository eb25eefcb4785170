export interface WaitingLimits {
  readonly ofSessionMax: number;
  readonly ofSessionBytesMax: number;
  /** Of all sessions together. */
  readonly bytesMax: number;
}

interface Amount {
  readonly count: number;
  readonly bytes: number;
}

/** How much waits for each subscriber that is away, and whether more may. */
export class WaitingAmounts {
  readonly #limits: WaitingLimits;
  readonly #bySession = new Map<string, Amount>();
  #bytes = 0;

  constructor(limits: WaitingLimits) {
    this.#limits = limits;
  }

  /** Adds a message, where there is room for it. */
  tryAdd(clientId: string, bytes: number): boolean {
    const { ofSessionMax, ofSessionBytesMax, bytesMax } = this.#limits;
    const before = this.#bySession.get(clientId) ?? { count: 0, bytes: 0 };
    if (before.count >= ofSessionMax || before.bytes + bytes > ofSessionBytesMax) return false;
    if (this.#bytes + bytes > bytesMax) return false;
    this.#bySession.set(clientId, { count: before.count + 1, bytes: before.bytes + bytes });
    this.#bytes += bytes;
    return true;
  }

  /** Takes a message away. One of which less is known by then counts on until nothing waits for the session. */
  remove(clientId: string, bytes: number): void {
    const before = this.#bySession.get(clientId);
    if (before === undefined) return;
    const isLast = before.count <= 1;
    const removed = isLast ? before.bytes : Math.min(bytes, before.bytes);
    this.#bytes -= removed;
    if (isLast) this.#bySession.delete(clientId);
    else this.#bySession.set(clientId, { count: before.count - 1, bytes: before.bytes - removed });
  }
}
