import type { PublishPacket } from "aedes";

const PENDING = 0;
const STORED = 1;
const FAILED = 2;

/** Places at first; they double. */
const PLACES_FIRST = 8;

/** Publishes that one connection has handed to the sink, in order, until the sink has settled each. */
export class UnsettledPublishes {
  #packetIds = new Uint16Array(PLACES_FIRST);
  #bytes = new Uint32Array(PLACES_FIRST);
  #states = new Uint8Array(PLACES_FIRST);
  #head = 0;
  #count = 0;
  #totalBytes = 0;
  /** Of the publishes that somebody wants: what is to be delivered, by their number. */
  readonly #wanted = new Map<number, PublishPacket>();
  /** Number of the oldest: counts on for ever. */
  #number = 0;
  #packetId = 0;
  #isStored = false;
  #wantedPacket: PublishPacket | undefined;

  get count(): number {
    return this.#count;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** `packetId` is 0 for QoS 0; `wanted` is what subscribers get once it is durable. */
  push(packetId: number, bytes: number, wanted: PublishPacket | undefined): void {
    if (this.#count === this.#states.length) this.#grow();
    const at = (this.#head + this.#count) & (this.#states.length - 1);
    this.#packetIds[at] = packetId;
    this.#bytes[at] = bytes;
    this.#states[at] = PENDING;
    if (wanted !== undefined) this.#wanted.set(this.#number + this.#count, wanted);
    this.#count++;
    this.#totalBytes += bytes;
  }

  /** The oldest that is not settled is. */
  settleFirst(isStored: boolean): void {
    for (let i = 0; i < this.#count; i++) {
      const at = (this.#head + i) & (this.#states.length - 1);
      if (this.#states[at] !== PENDING) continue;
      this.#states[at] = isStored ? STORED : FAILED;
      return;
    }
  }

  /** The newest is settled: the sink answered at once. */
  settleLast(isStored: boolean): void {
    this.#states[(this.#head + this.#count - 1) & (this.#states.length - 1)] = isStored ? STORED : FAILED;
  }

  /** Takes the oldest when it is settled, so that acknowledgements go out in the order of the publishes. */
  shift(): boolean {
    const state = this.#states[this.#head];
    if (this.#count === 0 || state === PENDING) return false;
    this.#packetId = this.#packetIds[this.#head] ?? 0;
    this.#isStored = state === STORED;
    this.#wantedPacket = undefined;
    if (this.#wanted.size > 0) {
      this.#wantedPacket = this.#wanted.get(this.#number);
      this.#wanted.delete(this.#number);
    }
    this.#totalBytes -= this.#bytes[this.#head] ?? 0;
    this.#head = (this.#head + 1) & (this.#states.length - 1);
    this.#count--;
    this.#number++;
    return true;
  }

  /** Of the publish that was taken last. */
  get packetId(): number {
    return this.#packetId;
  }

  get isStored(): boolean {
    return this.#isStored;
  }

  get wanted(): PublishPacket | undefined {
    return this.#wantedPacket;
  }

  #grow(): void {
    const order = Array.from(this.#states, (_, i) => (this.#head + i) & (this.#states.length - 1));
    const [packetIds, bytes, states] = [this.#packetIds, this.#bytes, this.#states];
    this.#packetIds = new Uint16Array(order.length * 2);
    this.#bytes = new Uint32Array(order.length * 2);
    this.#states = new Uint8Array(order.length * 2);
    this.#packetIds.set(order.map((at) => packetIds[at] ?? 0));
    this.#bytes.set(order.map((at) => bytes[at] ?? 0));
    this.#states.set(order.map((at) => states[at] ?? 0));
    this.#head = 0;
  }
}
