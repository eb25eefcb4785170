import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import { connect } from "mqtt";
import type { MqttClient } from "mqtt";
import { CONTROL_TOPIC } from "./control.ts";

/** Longest command: what is longer cannot be one. */
const COMMAND_BYTES_MAX = 4_096;

/** Listens for commands; a broker that goes away is tried again for ever, and the plant runs without. */
export class ControlSubscription implements Part {
  readonly name = "plant control";
  readonly #broker: string;
  readonly #clientId: string;
  readonly #handle: (payload: string) => void;
  #client: MqttClient | undefined;

  constructor(broker: string, clientId: string, handle: (payload: string) => void) {
    this.#broker = broker;
    this.#clientId = clientId;
    this.#handle = handle;
  }

  /** Begins to connect; commands come once that has worked. */
  start(): Promise<void> {
    const client = connect(this.#broker, {
      clientId: this.#clientId,
      clean: true,
      reconnectPeriod: 1_000,
      protocolVersion: 4,
    });
    this.#client = client;
    // mqtt.js subscribes again by itself after each reconnect.
    client.once("connect", () => client.subscribe(CONTROL_TOPIC, { qos: 1 }));
    client.on("message", (_topic, payload) =>
      this.#handle(payload.subarray(0, COMMAND_BYTES_MAX).toString("utf8")),
    );
    client.on("error", () => undefined);
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    await this.#client?.endAsync(true);
    this.#client = undefined;
  }
}
