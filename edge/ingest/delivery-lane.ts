import type { PublishPacket } from "aedes";

/** Deliveries of one publisher that are under way together; behind them its next ones wait. */
const OPEN_MAX = 100;

/**
 * Hands one publisher's durable messages to the broker for its subscribers, in order.
 *
 * The broker takes messages of one kind (QoS and retain flag) in order, but a message that it needs not queue for
 * absent sessions overtakes one that it has to. So where the kind changes, a turn of the event loop lies between.
 */
export class DeliveryLane {
  readonly #deliver: (packet: PublishPacket, delivered: () => void) => void;
  readonly #waiting: PublishPacket[] = [];
  #open = 0;
  #bytes = 0;
  /** The kind that was handed over in this turn. */
  #kind: number | undefined;
  #idle: (() => void)[] = [];
  readonly #wake: () => void;

  /** `wake` is called when a delivery is done. */
  constructor(deliver: (packet: PublishPacket, delivered: () => void) => void, wake: () => void) {
    this.#deliver = deliver;
    this.#wake = wake;
  }

  /** Messages that are not delivered yet. */
  get count(): number {
    return this.#waiting.length + this.#open;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(packet: PublishPacket): void {
    this.#bytes += packet.payload.length;
    this.#waiting.push(packet);
    this.#run();
  }

  /** Calls back when everything that was pushed has been handed to the broker, at once where it has been. */
  whenHandedOver(callback: () => void): void {
    if (this.#waiting.length === 0 && this.#kind === undefined) callback();
    else this.#idle.push(callback);
  }

  #run(): void {
    for (let packet = this.#waiting[0]; packet !== undefined; packet = this.#waiting[0]) {
      const delivering = packet;
      const kind = kindOf(delivering);
      if (this.#open >= OPEN_MAX || (this.#kind !== undefined && this.#kind !== kind)) return;
      if (this.#kind === undefined) setImmediate(() => this.#nextTurn());
      this.#kind = kind;
      this.#waiting.shift(); // Before it is handed over, which may lead back here.
      this.#open++;
      this.#deliver(delivering, () => this.#delivered(delivering));
    }
  }

  #nextTurn(): void {
    this.#kind = undefined;
    this.#run();
    if (this.#waiting.length > 0 || this.#kind !== undefined) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const callback of idle) callback();
  }

  #delivered(packet: PublishPacket): void {
    this.#open--;
    this.#bytes -= packet.payload.length;
    if (this.#kind === undefined) this.#run();
    this.#wake();
  }
}

const kindOf = ({ qos, retain }: PublishPacket): number => qos * 2 + (retain ? 1 : 0);
