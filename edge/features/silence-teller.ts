import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { silenceTopic } from "@sluice/shared/contract/silence.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";

/** What is needed of the way into the buffer. */
interface Sink {
  put(message: IncomingMessage, settled: (error: Error | undefined) => void): void;
}

interface SilenceTellerOptions {
  readonly gateway: string;
  readonly clock: Pick<Clock, "nowUs">;
  readonly sink: Sink;
}

/**
 * Lets time pass where nobody sends: puts a message of the gateway's own into the log once a silent device's windows
 * are due. It is stored like all others, so a restart and the lake know of it too.
 */
export class SilenceTeller {
  readonly #options: SilenceTellerOptions;
  #isStoring = false;

  constructor(options: SilenceTellerOptions) {
    this.#options = options;
  }

  /**
   * To be called again and again, with the arrival time at which windows are due, if any are. A message that is refused,
   * because the disk is full, is put again by a later call.
   */
  tell(dueAtUs: number | undefined): void {
    const { gateway, clock, sink } = this.#options;
    const receivedAtUs = clock.nowUs();
    if (dueAtUs === undefined || receivedAtUs < dueAtUs || this.#isStoring) return;
    this.#isStoring = true;
    const message = {
      client: "sluice-gateway",
      packetId: 0,
      qos: 0,
      dup: false,
      retain: false,
      topic: silenceTopic(gateway),
      payload: new Uint8Array(0),
      receivedAtUs,
    } as const;
    sink.put(message, () => {
      this.#isStoring = false;
    });
  }
}
