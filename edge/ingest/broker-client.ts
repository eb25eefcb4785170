import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { present } from "@sluice/shared/runtime/assert.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { type Random, seededRandom } from "@sluice/shared/runtime/random.ts";
import { backoffMs } from "@sluice/shared/runtime/retry.ts";
import { connect, type IConnackPacket, type IPublishPacket, type MqttClient } from "mqtt";
import { type Acknowledgement, checkGate, takeOverAcknowledgements } from "./acknowledgement-gate.ts";
import { brokerAddress, clientOptions, clientTls, subscriptions } from "./client-options.ts";
import { HeldAcknowledgements } from "./held-acknowledgements.ts";
import { Intake } from "./intake.ts";
import { PacketGuard } from "./packet-guard.ts";
import { SaidOnce } from "./said-once.ts";
import type { ClientSettings } from "./settings.ts";
import type { IngestStats, Source, SourceOptions } from "./source.ts";
import { expiryProblem } from "./tls.ts";
import { isReserved } from "./topic-rules.ts";

/** Return codes of a SUBACK from here on are refusals (MQTT 3.1.1 §3.9.3, MQTT 5 §3.9.3). */
const REFUSED_FROM = 0x80;

/** How long a polite goodbye to the broker may take. */
const GOODBYE_MS = 1_000;

export function createBrokerClient(options: SourceOptions): Source {
  return new BrokerClient(options);
}

/**
 * A subscriber of a broker that is already there, with a persistent session: the broker keeps what comes while the
 * gateway is away.
 *
 * Messages are taken from the broker without waiting for each other and acknowledged, in order, when they are
 * durable. When the sink refuses one, nothing more is acknowledged on that connection; it is made anew, and the broker
 * delivers again. The broker's own window of messages in flight bounds how many share a commit.
 */
class BrokerClient implements Source {
  readonly name = "broker client";
  readonly address: string;
  readonly #options: SourceOptions;
  readonly #settings: ClientSettings;
  readonly #intake: Intake;
  readonly #random: Random;
  readonly #said = new SaidOnce();
  #client: MqttClient | undefined;
  #acknowledge: (acknowledgement: Acknowledgement) => void = () => undefined;
  #held = new HeldAcknowledgements();
  #underWay = 0;
  /** Goes on reading from the broker; set while too many messages are under way. */
  #resume: (() => void) | undefined;
  #subscribed = false;
  #problem: string | undefined = "not connected yet";
  #failures = 0;
  #connectedAtUs: number | undefined;
  #expiresAtUs: number | undefined;
  #stopping = false;
  readonly #announcements = new Set<(error: Error) => void>();

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#settings = present(options.settings.client, "the broker client has settings");
    this.#intake = new Intake(options);
    this.#random = options.random ?? seededRandom(options.clock.nowUs() % 2 ** 31);
    this.address = brokerAddress(this.#settings.url);
  }

  /** Resolves when it is subscribed or the first try has failed; it goes on trying by itself. */
  async start(): Promise<void> {
    await checkGate();
    const { packetBytesMax } = this.#options.settings;
    const tls = clientTls(this.#settings);
    this.#expiresAtUs = tls.expiresAtUs;
    const client = connect(this.#settings.url, clientOptions(this.#settings, packetBytesMax, tls));
    this.#client = client;
    this.#acknowledge = takeOverAcknowledgements(client);
    client.handleMessage = (packet, next) => this.#handle(packet, next);
    this.#guard(client); // The first connection is already being made.
    await new Promise<void>((resolve) => this.#listen(client, resolve));
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const { clock, log, settings } = this.#options;
    const late = await this.#intake.drain(settings.stopDeadlineMs);
    if (late > 0)
      log.warn({ late }, "stopped before these messages were stored; the broker sends them again");
    if (this.#client !== undefined) await goodbye(this.#client, this.#announcements.size > 0, clock);
    for (const reject of this.#announcements)
      reject(new PipelineError("mqtt.unavailable", "the gateway has stopped"));
    this.#announcements.clear();
  }

  /** Waits for the broker while it is away. Rejects at once when too many wait already. */
  publish(
    topic: string,
    payload: string | Uint8Array,
    {
      correlation,
      ...options
    }: { readonly qos: 0 | 1; readonly retain: boolean; readonly correlation?: Uint8Array | undefined },
  ): Promise<void> {
    const client = this.#client;
    if (client === undefined || this.#stopping)
      return Promise.reject(new PipelineError("mqtt.unavailable", "not connected to the broker"));
    if (this.#announcements.size >= this.#settings.publishQueueMax) {
      this.#intake.refuse("announcement.queue_full");
      return Promise.reject(
        new PipelineError(
          "mqtt.queue_full",
          `${this.#settings.publishQueueMax} messages wait for the broker`,
          {
            hint: "The broker is away or slow; raise ingest.client.publishQueueMax to keep more in memory.",
          },
        ),
      );
    }
    return new Promise((resolve, reject) => {
      this.#announcements.add(reject);
      const properties =
        correlation === undefined || this.#settings.protocolVersion !== 5
          ? {}
          : { properties: { correlationData: Buffer.from(correlation) } };
      client.publish(topic, Buffer.from(payload), { ...options, ...properties }, (error) => {
        this.#announcements.delete(reject);
        if (error === undefined || error === null) resolve();
        else reject(new PipelineError("mqtt.unavailable", `cannot publish to ${topic}`, { cause: error }));
      });
    });
  }

  stats(): IngestStats {
    const expiry = expiryProblem(
      "the gateway's own certificate (ingest.client.certFile)",
      this.#expiresAtUs,
      {
        nowUs: this.#options.clock.nowUs(),
        warningDays: this.#settings.expiryWarningDays,
      },
    );
    return this.#intake.stats(this.#client?.connected === true ? 1 : 0, this.#problem ?? expiry);
  }

  #listen(client: MqttClient, firstOutcome: () => void): void {
    client.on("connect", (connack) => this.#connected(client, connack, firstOutcome));
    client.on("error", (error) => {
      this.#problem = `${this.address}: ${describeError(error)}`;
    });
    client.on("close", () => {
      this.#disconnected(client);
      firstOutcome();
    });
    client.on("packetsend", ({ cmd }) => {
      if (cmd === "connect") this.#guard(client);
    });
    // QoS 2 comes only from an earlier session's subscription: it is taken in before its PUBREC, as QoS 1 is.
    client.on("packetreceive", (packet) => {
      if (packet.cmd === "publish" && packet.qos === 2) this.#receive(packet);
    });
  }

  #connected(client: MqttClient, connack: IConnackPacket, firstOutcome: () => void): void {
    this.#connectedAtUs = this.#options.clock.monotonicUs();
    if (this.#subscribed && connack.sessionPresent) {
      this.#ready();
      return;
    }
    client.subscribe(subscriptions(this.#settings), (error, granted, answer) => {
      if (error === null || error === undefined) {
        this.#subscribed = true;
        this.#subscribeToRequests(client);
        for (const { topic, qos } of granted ?? []) if (qos === 0) this.#sayUnsafe(topic);
        this.#ready();
      } else if (client.connected) {
        const codes = answer !== undefined && "granted" in answer ? answer.granted : [];
        const refused = granted?.filter((_, i) => Number(codes[i]) >= REFUSED_FROM).map(({ topic }) => topic);
        this.#problem = `${this.address} refuses the subscription to ${refused?.join(", ")}: ${error.message}`;
        this.#options.log.error({ broker: this.address }, this.#problem);
      }
      firstOutcome();
    });
  }

  /** Readings come without it: a broker that refuses this only leaves questions unheard. */
  #subscribeToRequests(client: MqttClient): void {
    const { requestTopic, log } = this.#options;
    if (requestTopic === undefined) return;
    client.subscribe(requestTopic, { qos: 1 }, (error) => {
      if (error !== null && error !== undefined && client.connected && this.#said.isFirst("requests"))
        log.warn(
          { broker: this.address, topic: requestTopic },
          "the broker refuses the subscription on which clients ask for feature vectors; all else goes on",
        );
    });
  }

  #ready(): void {
    if (this.#failures > 0) this.#options.log.info({ broker: this.address }, "connected to the broker again");
    this.#problem = undefined;
  }

  #disconnected(client: MqttClient): void {
    const { clock, log } = this.#options;
    this.#held.close();
    this.#held = new HeldAcknowledgements();
    this.#resume = undefined;
    if (this.#stopping) return;
    const { reconnectBaseMs, reconnectMaxMs } = this.#settings;
    const lasted = this.#connectedAtUs === undefined ? 0 : clock.monotonicUs() - this.#connectedAtUs;
    this.#connectedAtUs = undefined;
    if (lasted > reconnectMaxMs * 1_000) this.#failures = 0;
    this.#problem ??= `${this.address}: the connection was lost`;
    this.#rereadTls(client);
    if (this.#failures === 0)
      log.warn({ broker: this.address }, `no connection to the broker, trying again: ${this.#problem}`);
    client.options.reconnectPeriod = backoffMs(
      { baseMs: reconnectBaseMs, maxMs: reconnectMaxMs },
      ++this.#failures,
      this.#random,
    );
  }

  /** The next connection is made with the files as they are by then; those that cannot be used change nothing. */
  #rereadTls(client: MqttClient): void {
    try {
      const { options, expiresAtUs } = clientTls(this.#settings);
      Object.assign(client.options, options);
      this.#expiresAtUs = expiresAtUs;
    } catch (error) {
      this.#problem = `${this.address}: ${describeError(error)}`;
    }
  }

  #handle(packet: IPublishPacket, next: () => void): void {
    if (this.#stopping || this.#held.isClosed) return; // Neither stored nor acknowledged: the broker keeps it.
    if (packet.qos < 2) this.#receive(packet);
    if (this.#underWay < this.#settings.unsettledMessagesMax) next();
    else this.#resume = next;
  }

  #receive(packet: IPublishPacket): void {
    if (this.#stopping || this.#held.isClosed) return;
    const { qos, dup, retain, topic, messageId } = packet;
    const packetId = messageId ?? 0;
    const held = this.#held;
    const durable = qos === 0 ? () => undefined : held.hold(() => this.#send(packetId, qos));
    if (isReserved(topic)) {
      this.#intake.refuse("topic.reserved"); // Our own predictions and those of other gateways, under a wide filter.
      durable();
      return;
    }
    const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
    const receivedAtUs = this.#options.clock.nowUs();
    const response = responseOf(packet);
    this.#underWay++;
    this.#intake.put(
      {
        client: this.#settings.clientId,
        packetId,
        qos,
        dup,
        retain,
        topic,
        payload,
        receivedAtUs,
        ...response,
      },
      (error) => {
        this.#underWay--;
        if (error === undefined) this.#failures = 0;
        if (error === undefined) durable();
        else if (qos > 0) this.#abandon(held);
        this.#goOn();
      },
    );
  }

  #send(messageId: number, qos: 1 | 2): void {
    this.#acknowledge({ cmd: qos === 1 ? "puback" : "pubrec", messageId, reasonCode: 0 });
    this.#intake.acknowledged();
  }

  /** Nothing more is acknowledged on this connection; on the next one the broker delivers again. */
  #abandon(held: HeldAcknowledgements): void {
    held.close();
    const stream = this.#client?.stream;
    // What was acknowledged in this turn still goes out.
    if (held === this.#held) setImmediate(() => stream?.destroy());
  }

  #goOn(): void {
    const resume = this.#resume;
    if (resume === undefined || this.#stopping || this.#underWay >= this.#settings.unsettledMessagesMax)
      return;
    this.#resume = undefined;
    resume();
  }

  #guard(client: MqttClient): void {
    const { packetBytesMax } = this.#options.settings;
    const guard = new PacketGuard(packetBytesMax);
    const { stream } = client;
    // Before mqtt.js reads the same bytes.
    stream.prependListener("data", (chunk: Uint8Array) => {
      const fault = guard.check(chunk);
      if (fault === undefined || stream.destroyed) return;
      this.#held.close();
      this.#intake.refuse(fault.kind === "too_large" ? "packet.too_large" : "packet.invalid");
      this.#problem = `${this.address} sends a packet over ingest.packetBytesMax (${packetBytesMax} bytes)`;
      if (this.#said.isFirst("packet"))
        this.#options.log.error(
          { broker: this.address, packetBytesMax },
          "the broker sends a packet that is too large and will send it again: raise ingest.packetBytesMax, or remove it there",
        );
      stream.destroy();
    });
  }

  #sayUnsafe(topic: string): void {
    if (this.#said.isFirst(`qos0 ${topic}`))
      this.#options.log.warn(
        { broker: this.address, topic },
        "the broker grants only QoS 0: what comes while the gateway is away is not kept",
      );
  }
}

/** Where a request's sender wants its answer (MQTT 5 §3.3.2.3.5). */
function responseOf({ properties }: IPublishPacket): Pick<IncomingMessage, "response"> {
  const topic = properties?.responseTopic;
  return topic === undefined ? {} : { response: { topic, correlation: properties?.correlationData } };
}

async function goodbye(client: MqttClient, hasUnsent: boolean, clock: SourceOptions["clock"]): Promise<void> {
  const timer = new AbortController();
  await Promise.race([
    client.endAsync(hasUnsent || !client.connected),
    clock.sleep(GOODBYE_MS, timer.signal),
  ]);
  timer.abort();
  client.stream.destroy();
}
