import { parseCheckedJson } from "@sluice/shared/codec/payload/checked-json.ts";
import type { IncomingMessage, OutgoingMessage } from "@sluice/shared/contract/message.ts";
import type { OnlineAnswer, OnlineQuery } from "@sluice/shared/contract/online.ts";
import {
  featuresReplyTopic,
  featuresRequestTopic,
  isFeaturesRequest,
} from "@sluice/shared/contract/topic.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** What became of the requests over MQTT since the start. */
export interface OnlineCounters {
  answered: number;
  /** Answered with an error. */
  refused: number;
  /** Nobody could be told: without a client id that can stand in a topic the request must say `replyTo`. */
  unanswerable: number;
  /** Meant for other gateways, whose topics this one should not subscribe to. */
  misdirected: number;
}

/** Where nobody asks, what judges a request takes no memory. */
const loadSchemas = () => import("@sluice/shared/contract/online.ts");

const NAME = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * Answers requests for feature vectors over MQTT.
 *
 * An answer goes to the response topic of the request (MQTT 5), else to `replyTo`, else to the client id; always below
 * `sluice/<gateway>/features/reply/`, so that nobody can have the gateway speak elsewhere in its name.
 */
export class OnlineClerk {
  readonly #topic: string;
  readonly #gateway: string;
  readonly #ask: (query: OnlineQuery) => Promise<OnlineAnswer>;
  readonly #counters: OnlineCounters = { answered: 0, refused: 0, unanswerable: 0, misdirected: 0 };

  constructor(gateway: string, ask: (query: OnlineQuery) => Promise<OnlineAnswer>) {
    this.#gateway = gateway;
    this.#ask = ask;
    this.#topic = featuresRequestTopic(gateway);
  }

  counters(): Readonly<OnlineCounters> {
    return { ...this.#counters };
  }

  isRequest(topic: string): boolean {
    return isFeaturesRequest(topic);
  }

  async answer(message: IncomingMessage): Promise<OutgoingMessage | undefined> {
    if (message.topic !== this.#topic) {
      this.#counters.misdirected++;
      return undefined;
    }
    const { onlineRequestSchema } = await loadSchemas();
    const request = parseCheckedJson("request", onlineRequestSchema, message.payload);
    if (typeof request === "string")
      return this.#refuse(message, new PipelineError("features.request_invalid", request));
    const { id: _id, replyTo: _replyTo, ...query } = request;
    try {
      return await this.#tell(message, await this.#ask(query), "answered");
    } catch (error) {
      return this.#refuse(message, error);
    }
  }

  turnAway(message: IncomingMessage): Promise<OutgoingMessage | undefined> {
    return this.#refuse(
      message,
      new PipelineError("features.busy", "too many requests are being answered", {
        hint: "Ask again in a moment, or for several devices in one request.",
      }),
    );
  }

  #refuse(message: IncomingMessage, error: unknown): Promise<OutgoingMessage | undefined> {
    return this.#tell(message, { error: shownError(error) }, "refused");
  }

  async #tell(
    { client, payload, response }: IncomingMessage,
    body: object,
    outcome: "answered" | "refused",
  ): Promise<OutgoingMessage | undefined> {
    const { onlineEnvelopeSchema } = await loadSchemas();
    const envelope = parseCheckedJson("request", onlineEnvelopeSchema, payload);
    const { id, replyTo = client } = typeof envelope === "string" ? {} : envelope;
    const below = featuresReplyTopic(this.#gateway, "");
    const topic = response?.topic.startsWith(below) === true ? response.topic : below + replyTo;
    // A wildcard or a level more in a client id would be another topic.
    if (!NAME.test(topic.slice(below.length))) {
      this.#counters.unanswerable++;
      return undefined;
    }
    this.#counters[outcome]++;
    const text = JSON.stringify({ ...(id === undefined ? {} : { id }), ...body });
    return { topic, payload: text, qos: 1, retain: false, correlation: response?.correlation };
  }
}

/** An error as a client is told. */
function shownError(error: unknown): {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
} {
  if (!(error instanceof PipelineError)) return { code: "internal", message: String(error) };
  const { code, message, hint } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}
