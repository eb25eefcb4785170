import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import type { Settled, Sink } from "../../edge/ingest/source.ts";

export interface Put {
  readonly message: IncomingMessage;
  readonly settled: Settled;
}

/** A sink whose commits a test orders: settle at once, hold, or refuse. */
export class OrderedSink implements Sink {
  readonly puts: Put[] = [];
  mode: "settle" | "hold" | "refuse" = "settle";
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  put(message: IncomingMessage, settled: Settled): void {
    this.puts.push({ message: { ...message, payload: Uint8Array.from(message.payload) }, settled });
    if (this.mode === "settle") settled(undefined);
    if (this.mode === "refuse") settled(new Error("the disk is full"));
    this.#waiting = this.#waiting.filter(({ count, resolve }) => {
      if (this.puts.length >= count) resolve();
      return this.puts.length < count;
    });
  }

  /** Resolves when `count` messages have been put since the beginning. */
  arrived(count: number): Promise<void> {
    if (this.puts.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ count, resolve }));
  }

  /** Settles everything that is held, as one commit does, and what comes from now on. */
  commit(error?: Error): void {
    this.mode = error === undefined ? "settle" : "refuse";
    for (const { settled } of this.puts.splice(0)) settled(error);
  }

  texts(): string[] {
    return this.puts.map(({ message }) => `${message.topic} ${new TextDecoder().decode(message.payload)}`);
  }
}

export function connectMqtt(address: string, options: IClientOptions = {}): Promise<MqttClient> {
  return connectAsync(`mqtt://${address}`, { reconnectPeriod: 5, protocolVersion: 4, ...options });
}

/** Resolves with the next message on the filter as text; subscribed when the promise of this function resolves. */
export async function subscribeOnce(
  client: MqttClient,
  filter: string,
): Promise<{ readonly message: Promise<string> }> {
  const message = new Promise<string>((resolve) =>
    client.once("message", (topic, payload) => resolve(`${topic} ${payload.toString()}`)),
  );
  await client.subscribeAsync(filter, { qos: 1 });
  return { message };
}
