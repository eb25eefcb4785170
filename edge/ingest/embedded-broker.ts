import type { Socket } from "node:net";
import type { IncomingMessage } from "@sluice/shared/contract/message.ts";
import { present } from "@sluice/shared/runtime/assert.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { Aedes, type AedesOptions, type Client, type PublishPacket } from "aedes";
import { boundMemory, type BrokerMemory, memoryOf } from "./broker-memory.ts";
import { closingReason } from "./closing-reason.ts";
import { ExactlyOnce } from "./exactly-once.ts";
import { Intake, type Refusal } from "./intake.ts";
import { FrontDoors } from "./front-doors.ts";
import { AcknowledgementBatch } from "./acknowledgement-batch.ts";
import type { PublishRights } from "./access.ts";
import { Admissions } from "./admissions.ts";
import { ConnectionWatch } from "./connection-watch.ts";
import { PublishConnection, type PublishPath } from "./publish-connection.ts";
import { keepOrder } from "./publish-order.ts";
import { PublishPackets } from "./publish-packet.ts";
import { SaidOnce } from "./said-once.ts";
import type { BrokerSettings } from "./settings.ts";
import type { IngestStats, Source, SourceOptions } from "./source.ts";
import { indexSubscriptions } from "./subscription-index.ts";
import { sessionMemoryOf } from "./session-memory.ts";

type Answer = (error?: Error | null) => void;

/** CONNACK as MQTT 5 has it, with "unsupported protocol version" (MQTT 5 §3.2.2.2), which its clients understand. */
const MQTT5_REFUSED = Uint8Array.of(0x20, 3, 0, 0x84, 0);

/** What a CONNECT may have besides client id and will: user, password, and as much over each limit as is worth a word. */
const CONNECT_SPARE_BYTES = 16_384;

/** How often the broker looks at its own sessions; it says so on $SYS, which nobody can read. */
const HEARTBEAT_MS = 3_600_000;

export function createEmbeddedBroker(options: SourceOptions): Source {
  return new EmbeddedBroker(options);
}

/**
 * An MQTT 3.1 and 3.1.1 broker in the gateway, whose acknowledgements wait for the sink.
 *
 * QoS 1: PUBACK after the message is durable. QoS 2: PUBREC after it is durable, each message put once however often
 * it is delivered. QoS 0: not too many before they are durable, so that a slow disk slows publishers down. When the
 * sink refuses, the connection is closed without an acknowledgement. Sessions, retained messages and queues live in
 * memory and end with the process; what the sink has does not.
 */
class EmbeddedBroker implements Source {
  readonly name = "embedded broker";
  readonly #options: SourceOptions;
  readonly #settings: BrokerSettings;
  readonly #intake: Intake;
  readonly #doors: FrontDoors;
  readonly #admissions: Admissions;
  readonly #broker: Aedes;
  readonly #said = new SaidOnce();
  readonly #watch: ConnectionWatch;
  readonly #connections = new WeakMap<Client, PublishConnection>();
  #exactlyOnce: ExactlyOnce | undefined;
  #path: PublishPath | undefined;
  #address = "";
  #stopping = false;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#settings = present(options.settings.broker, "the embedded broker has settings");
    this.#intake = new Intake(options);
    const { clock, log } = options;
    const settings = this.#settings;
    const refuse = (reason: Refusal, client: string | null, detail: string): void =>
      this.#refuse(reason, client, detail);
    this.#doors = new FrontDoors({
      settings,
      clock,
      log,
      refuse,
      connected: (socket) => this.#connected(socket),
    });
    const socketOf = (client: Client): Socket => this.#socketOf(client);
    this.#admissions = new Admissions({ settings, clock, log, refuse, socketOf });
    this.#broker = new Aedes(this.#brokerOptions());
    this.#watch = new ConnectionWatch(options.clock);
    this.#broker.on("connackSent", ({ returnCode }, client) => {
      if (returnCode === 0) this.#connections.get(client)?.accepted(client, this.#rightsOf(client));
    });
    this.#broker.on("unsubscribe", (filters, client) => this.#admissions.unsubscribed(client, filters));
    this.#broker.on("clientError", (client, error) => this.#failed(client, error));
    this.#broker.on("connectionError", (client, error) => this.#failed(client, error));
  }

  get address(): string {
    return this.#address;
  }

  async start(): Promise<void> {
    await this.#broker.listen();
    const memory = memoryOf(this.#broker);
    boundMemory(memory, this.#settings, (reason) => this.#intake.refuse(reason));
    this.#exactlyOnce = new ExactlyOnce(memory);
    this.#path = this.#publishPath(memory);
    this.#watch.start();
    try {
      this.#admissions.start(sessionMemoryOf(this.#broker));
      this.#address = await this.#doors.listen();
    } catch (error) {
      await this.#watch.stop();
      await this.#admissions.stop();
      await this.#closeBroker();
      throw error;
    }
  }

  #publishPath(memory: BrokerMemory): PublishPath {
    const subscriptions = indexSubscriptions(this.#broker, memory);
    keepOrder(memory, subscriptions);
    return {
      intake: this.#intake,
      clock: this.#options.clock,
      limits: {
        connectBytesMax: connectBytesMax(this.#settings),
        packetBytesMax: this.#options.settings.packetBytesMax,
        unsettledMessagesMax: this.#settings.unsettledMessagesMax,
        unsettledBytesMax: this.#settings.unsettledBytesMax,
        stallMs: this.#settings.subscriberStallMs,
        rate: this.#settings,
      },
      packets: new PublishPackets(),
      subscriptions,
      acknowledgements: new AcknowledgementBatch(),
      isStopping: () => this.#stopping,
      deliver: (packet, delivered) => this.#broker.publish(packet, delivered),
      refused: (reason, { name }, detail) => this.#refuse(reason, name, detail),
      speaksMqtt5: (connection) => this.#refuseVersion(connection),
    };
  }

  #rightsOf(client: Client): PublishRights {
    return present(this.#admissions.rightsOf(client), "whoever publishes was let in");
  }

  /** Takes nothing new, lets what is under way be acknowledged, then closes every connection. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const closed = this.#doors.close();
    const late = await this.#intake.drain(this.#options.settings.stopDeadlineMs);
    if (late > 0)
      this.#options.log.warn({ late }, "stopped before these messages were stored; they come again");
    await nextTurn(); // The last acknowledgements are written in this turn.
    await this.#watch.stop();
    await this.#admissions.stop();
    await this.#closeBroker();
    this.#doors.destroySockets();
    await closed;
  }

  publish(
    topic: string,
    payload: string | Uint8Array,
    { qos, retain }: { readonly qos: 0 | 1; readonly retain: boolean },
  ): Promise<void> {
    const packet = { cmd: "publish" as const, topic, payload: Buffer.from(payload), qos, retain, dup: false };
    return new Promise((resolve, reject) => {
      this.#broker.publish(packet, (error) => {
        if (error === undefined || error === null) resolve();
        else reject(new PipelineError("mqtt.unavailable", `cannot publish to ${topic}`, { cause: error }));
      });
    });
  }

  stats(): IngestStats {
    return this.#intake.stats(this.#doors.connections, this.#doors.problem ?? this.#admissions.problem);
  }

  #brokerOptions(): AedesOptions {
    return {
      connectTimeout: this.#settings.connectTimeoutMs,
      drainTimeout: this.#settings.subscriberStallMs,
      heartbeatInterval: HEARTBEAT_MS,
      preConnect: (client, packet, answer) => {
        this.#doors.established(this.#socketOf(client));
        this.#admissions.connecting(client, packet);
        // The connection looks after its keep-alive itself: the broker does not see every packet.
        this.#connections.get(client)?.liveness.promises(packet.keepalive ?? 0);
        packet.keepalive = 0;
        answer(null, true);
      },
      authenticate: (client, username, password, answer) =>
        this.#admissions.authenticate(client, { username, password }, answer),
      authorizePublish: (client, packet, answer) => {
        if (client === null) answer(null);
        else this.#authorizePublish(client, packet, answer);
      },
      authorizeSubscribe: (client, subscription, answer) =>
        this.#admissions.authorizeSubscribe(client, subscription, answer),
    };
  }

  /** The one place before the acknowledgement: what is called back without an error is acknowledged. */
  #authorizePublish(client: Client, packet: PublishPacket, answer: Answer): void {
    // A will has no packet id: it comes from us, when its client is gone.
    const isWill = packet.messageId === undefined && packet.qos > 0;
    const refusal = this.#rightsOf(client).publishRefusal(packet.topic);
    if (refusal !== undefined) {
      this.#refuse(refusal, client.id, `It may not publish to ${packet.topic.slice(0, 256)}.`);
      answer(new PipelineError("ingest.topic_refused", `${client.id} may not publish there: ${refusal}`));
      return;
    }
    if (this.#stopping) {
      this.#refuseStopping(client, answer);
      return;
    }
    const message = toMessage(client, packet, this.#options.clock.nowUs());
    if (packet.qos === 2 && !isWill) this.#putOnce(client, packet, message, answer);
    else this.#intake.put(message, (error) => this.#settled(client, message.qos, error, answer));
  }

  #settled(client: Client, qos: number, error: Error | undefined, answer: Answer): void {
    // Counted where it failed; QoS 0 has no acknowledgement to hold back.
    answer(qos === 0 || error === undefined ? null : notStored(client, error));
  }

  #putOnce(client: Client, packet: PublishPacket, message: IncomingMessage, answer: Answer): void {
    const put = (): Promise<void> =>
      new Promise((resolve, reject) => {
        this.#intake.put(message, (error) => (error === undefined ? resolve() : reject(error)));
      });
    const done = (): void => this.#connections.get(client)?.exactlyOnceDone();
    present(this.#exactlyOnce, "the broker has started")
      .commit(client.id, packet, put)
      .then(
        () => {
          // Without its connection nothing may be remembered: its packet ids may already mean other messages.
          if (client.closed) return answer(notStored(client, new Error("its connection is gone")));
          this.#intake.acknowledged();
          setImmediate(done); // The broker has handed it to its subscribers by then.
          return answer(null);
        },
        (error: unknown) => answer(notStored(client, error)),
      );
  }

  /** A publish is left unanswered, so that its sender keeps it; a will would say that a device is gone, which is not so. */
  #refuseStopping(client: Client, answer: Answer): void {
    this.#intake.refuse(client.closed ? "will.stopping" : "publish.stopping");
    if (client.closed) answer(notStored(client, new Error("the gateway is stopping")));
  }

  #socketOf(client: Client): Socket {
    return present(this.#connections.get(client), "a client has its connection").link.socket;
  }

  #connected(socket: Socket): void {
    const connection = new PublishConnection(socket, present(this.#path, "the broker has started"));
    this.#watch.add(connection);
    socket.once("close", () => this.#watch.delete(connection));
    this.#connections.set(this.#broker.handle(connection.link), connection);
  }

  /** The broker closes a connection for a reason of the protocol, of the network, or because we refused. */
  #failed(client: Client, error: Error): void {
    const reason = closingReason(error);
    if (reason === undefined) return;
    this.#refuse(reason, client.id, describeError(error));
  }

  #refuseVersion({ link, remoteAddress }: PublishConnection): void {
    this.#intake.refuse("connect.protocol_version");
    if (this.#said.isFirst(`version ${remoteAddress}`))
      this.#options.log.warn(
        { client: remoteAddress },
        "a client wants MQTT 5; this broker speaks 3.1 and 3.1.1. Set the client to MQTT 3.1.1 (protocol version 4), or let it publish to a broker with MQTT 5 and have the gateway subscribe there (ingest.client)",
      );
    link.socket.write(MQTT5_REFUSED);
    link.socket.destroySoon();
  }

  #refuse(reason: Refusal, client: string | null, detail: string): void {
    this.#intake.refuse(reason);
    if (this.#said.isFirst(`${reason} ${client}`))
      this.#options.log.warn({ reason, client }, `refused, from here on only counted: ${detail}`);
  }

  #closeBroker(): Promise<void> {
    return new Promise((resolve) => {
      this.#broker.close(() => resolve());
    });
  }
}

const connectBytesMax = ({ clientIdBytesMax, willBytesMax, topicBytesMax }: BrokerSettings): number =>
  clientIdBytesMax + willBytesMax + topicBytesMax + CONNECT_SPARE_BYTES;

function toMessage(client: Client, packet: PublishPacket, receivedAtUs: number): IncomingMessage {
  const { messageId, qos, dup, retain, topic, payload } = packet;
  return {
    client: client.id,
    packetId: messageId ?? 0,
    qos,
    dup,
    retain,
    topic,
    payload: typeof payload === "string" ? Buffer.from(payload) : payload,
    receivedAtUs,
  };
}

/** Closes the connection without an acknowledgement. */
const notStored = (client: Client, cause: unknown): PipelineError =>
  new PipelineError("ingest.not_stored", `a message of ${client.id} is not acknowledged`, { cause });

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
