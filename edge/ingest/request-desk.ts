import type { IncomingMessage, OutgoingMessage } from "@sluice/shared/contract/message.ts";
import type { Settled, Sink } from "./source.ts";

/** Most requests that are being answered at once; more than that are refused, so that no client fills the memory. */
const UNDER_WAY_MAX = 256;

/** Who answers: whatever is asked, also nonsense, has an answer. */
export interface Clerk {
  isRequest(topic: string): boolean;
  /** Undefined where nobody is told. Never rejects. */
  answer(request: IncomingMessage): Promise<OutgoingMessage | undefined>;
  /** The answer to a request that came while too many others were being answered. */
  turnAway(request: IncomingMessage): Promise<OutgoingMessage | undefined>;
}

/**
 * A sink before the sink: messages on some topics are questions to the gateway itself, are answered through the source
 * that they came from, and are not stored. All others go on.
 */
export class RequestDesk implements Sink {
  readonly #sink: Sink;
  readonly #clerk: Clerk;
  #underWay = 0;
  #reply: (message: OutgoingMessage) => void = () => undefined;

  constructor(sink: Sink, clerk: Clerk) {
    this.#sink = sink;
    this.#clerk = clerk;
  }

  /** Where answers go: the source that this is the sink of. */
  replyThrough(reply: (message: OutgoingMessage) => void): void {
    this.#reply = reply;
  }

  put(message: IncomingMessage, settled: Settled): void {
    if (!this.#clerk.isRequest(message.topic)) {
      this.#sink.put(message, settled);
      return;
    }
    settled(undefined); // It has come: a question is worth nothing after a restart.
    const own = { ...message, payload: Uint8Array.from(message.payload) };
    if (this.#underWay >= UNDER_WAY_MAX) void this.#turnAway(own);
    else void this.#answer(own);
  }

  hasRoom(bytes: number): boolean {
    return this.#sink.hasRoom?.(bytes) ?? true;
  }

  whenRoom(callback: () => void): void {
    if (this.#sink.whenRoom === undefined) setImmediate(callback);
    else this.#sink.whenRoom(callback);
  }

  async #answer(request: IncomingMessage): Promise<void> {
    this.#underWay++;
    try {
      this.#send(await this.#clerk.answer(request));
    } finally {
      this.#underWay--;
    }
  }

  async #turnAway(request: IncomingMessage): Promise<void> {
    this.#send(await this.#clerk.turnAway(request));
  }

  #send(answer: OutgoingMessage | undefined): void {
    if (answer !== undefined) this.#reply(answer);
  }
}
