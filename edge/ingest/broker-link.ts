import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** What is written in one go is joined up to this size; more goes out piece by piece. */
const JOINED_BYTES_MAX = 65_536;

export interface BrokerLinkHooks {
  /** The broker takes packets again, after `forward` has said that it has enough. */
  readonly hungry: () => void;
  /** The connection is over. */
  readonly closed: () => void;
}

/** A client's connection as the broker sees it: the packets that are left for it, and the way back to the socket. */
export class BrokerLink extends Duplex {
  readonly socket: Socket;
  readonly #hooks: BrokerLinkHooks;

  constructor(socket: Socket, hooks: BrokerLinkHooks) {
    super({ allowHalfOpen: true });
    this.socket = socket;
    this.#hooks = hooks;
    socket.on("error", (error) => this.destroy(error));
    socket.on("close", () => this.destroy());
  }

  /** Hands a whole packet to the broker; false when it has enough for now. */
  forward(packet: Uint8Array): boolean {
    return this.push(packet);
  }

  /** The client sends nothing more. */
  ended(): void {
    this.push(null);
  }

  override _read(): void {
    this.#hooks.hungry();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: (error?: Error | null) => void): void {
    this.socket.write(chunk, written);
  }

  override _writev(
    chunks: readonly { readonly chunk: Buffer }[],
    written: (error?: Error | null) => void,
  ): void {
    const bytes = chunks.reduce((sum, { chunk }) => sum + chunk.length, 0);
    const pieces = chunks.map(({ chunk }) => chunk);
    if (bytes <= JOINED_BYTES_MAX) {
      this.socket.write(Buffer.concat(pieces, bytes), written);
      return;
    }
    for (const [i, piece] of pieces.entries())
      if (i < pieces.length - 1) this.socket.write(piece);
      else this.socket.write(piece, written);
  }

  override _final(ended: (error?: Error | null) => void): void {
    this.socket.end(() => ended());
  }

  override _destroy(error: Error | null, destroyed: (error?: Error | null) => void): void {
    this.socket.destroy();
    this.#hooks.closed();
    destroyed(error);
  }
}
