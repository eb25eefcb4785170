import type { Socket } from "node:net";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import type { Client, PublishPacket } from "aedes";
import type { PublishRights } from "./access.ts";
import type { AcknowledgementBatch } from "./acknowledgement-batch.ts";
import { BrokerLink } from "./broker-link.ts";
import type { Intake, Refusal } from "./intake.ts";
import { Liveness } from "./liveness.ts";
import { type PacketLimits, PacketReader } from "./packet-reader.ts";
import { PublishRate, type PublishRateLimits } from "./rate-limit.ts";
import type { PublishPackets } from "./publish-packet.ts";
import type { SubscriptionIndex } from "./subscription-index.ts";
import { UnsettledPublishes } from "./unsettled-publishes.ts";

/** What a message takes beside its packet while it waits for the disk: at most its topic and client id thrice. */
const WAITING_BYTES = 256;

export interface PublishLimits extends PacketLimits {
  /** What one connection may have on its way to the disk and to subscribers; at it, reading pauses. */
  readonly unsettledMessagesMax: number;
  readonly unsettledBytesMax: number;
  /** How long a client may leave acknowledgements unread. */
  readonly stallMs: number;
  readonly rate: PublishRateLimits;
}

/** What all connections share. */
export interface PublishPath {
  readonly intake: Intake;
  readonly clock: Clock;
  readonly limits: PublishLimits;
  readonly packets: PublishPackets;
  readonly subscriptions: SubscriptionIndex;
  readonly acknowledgements: AcknowledgementBatch;
  readonly isStopping: () => boolean;
  readonly deliver: (packet: PublishPacket, delivered: () => void) => void;
  /** Counts what was refused, and says it once per client. */
  readonly refused: (reason: Refusal, connection: PublishConnection, detail: string) => void;
  /** A client that speaks MQTT 5: it is answered and its connection closed. */
  readonly speaksMqtt5: (connection: PublishConnection) => void;
}

/**
 * One client's connection: takes QoS 0 and 1 publishes out of its stream and to the sink, and leaves every other
 * packet to the broker.
 *
 * Nothing goes on before the broker has accepted the connection. Packets are taken in order; a publish waits until
 * the QoS 2 publishes before it are durable, so that the sink and subscribers get all of them in order. The broker's
 * work on a message is only done for one that is retained or that somebody subscribes to, after it is durable.
 * Whatever is too much (unsettled publishes, a full sink, acknowledgements that the client does not read, packets that
 * the broker has no time for) stops the reading of the socket, so that TCP slows the client down.
 */
export class PublishConnection {
  readonly link: BrokerLink;
  readonly liveness: Liveness;
  readonly #socket: Socket;
  readonly #path: PublishPath;
  readonly #reader: PacketReader;
  readonly #unsettled = new UnsettledPublishes();
  readonly #acknowledged: number[] = [];
  /** Durable messages that subscribers have not taken yet. */
  #deliveringCount = 0;
  #deliveringBytes = 0;
  #client: Client | undefined;
  #rights: PublishRights | undefined;
  #state: "opening" | "connecting" | "ready" | "closed" = "opening";
  /** QoS 2 publishes that the broker has and that are not durable yet. */
  #exactlyOnce = 0;
  /** The reader's packet could not be taken yet. */
  #isHolding = false;
  #isTaking = false;
  #isPutting = false;
  #isBrokerFull = false;
  #isRoomAwaited = false;
  #areAcknowledgementsUnread = false;
  readonly #rate: PublishRate | undefined;
  /** Set while publishes wait because the client is over its rate. */
  #slowing: AbortController | undefined;
  #receivedAtUs = 0;

  constructor(socket: Socket, path: PublishPath) {
    this.#socket = socket;
    this.#path = path;
    this.liveness = new Liveness(path.limits.stallMs);
    this.#reader = new PacketReader(path.limits);
    const rate = new PublishRate(path.limits.rate, path.clock.monotonicUs());
    this.#rate = rate.isLimited ? rate : undefined;
    this.link = new BrokerLink(socket, {
      hungry: () => {
        this.#isBrokerFull = false;
        this.#take();
      },
      closed: () => {
        this.#state = "closed";
        this.#slowing?.abort();
      },
    });
    socket.on("data", (chunk: Buffer) => {
      this.#receivedAtUs = path.clock.nowUs();
      this.#reader.add(chunk);
      this.#take();
    });
    socket.on("end", () => this.link.ended());
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? "";
  }

  /** The client id, or the address before there is one. */
  get name(): string {
    return this.#client?.id ?? this.remoteAddress;
  }

  /** The broker has said CONNACK with 0. */
  accepted(client: Client, rights: PublishRights): void {
    if (this.#state !== "connecting") return;
    this.#client = client;
    this.#rights = rights;
    this.#state = "ready";
    this.#take();
  }

  /** A QoS 2 publish is durable, and so may be what came after it. */
  exactlyOnceDone(): void {
    this.#exactlyOnce--;
    this.#take();
  }

  /** Closes the connection; the broker then publishes the will. */
  close(error?: Error): void {
    this.link.destroy(error);
  }

  /** Looks whether the client is still there and reads its acknowledgements; `elapsedMs` have gone by. */
  check(elapsedMs: number): void {
    if (this.#state !== "ready") return;
    const life = this.liveness.check({
      elapsedMs,
      isHeldUp: this.#isHolding,
      isUnread: this.#areAcknowledgementsUnread,
    });
    if (life === "silent") this.close(new Error("keep alive timeout"));
    if (life !== "stalled") return;
    this.#path.refused("subscriber.stalled", this, "It does not read its acknowledgements.");
    this.close();
  }

  /** Writes the acknowledgements that have become due, all at once, and reads on. */
  flush(): void {
    const count = this.#acknowledged.length;
    if (count > 0 && this.#state !== "closed") {
      const bytes = Buffer.allocUnsafe(4 * count);
      let at = 0;
      for (const packetId of this.#acknowledged) {
        // PUBACK: MQTT 3.1.1 §3.4.
        bytes[at] = 0x40;
        bytes[at + 1] = 2;
        bytes[at + 2] = packetId >>> 8;
        bytes[at + 3] = packetId & 0xff;
        at += 4;
      }
      this.#path.intake.acknowledged(count);
      if (!this.#socket.write(bytes)) this.#waitForReader();
    }
    this.#acknowledged.length = 0;
    if (this.#isHolding) this.#take();
  }

  #waitForReader(): void {
    if (this.#areAcknowledgementsUnread) return;
    this.#areAcknowledgementsUnread = true;
    this.#socket.once("drain", () => {
      this.#areAcknowledgementsUnread = false;
      this.#take();
    });
  }

  /** Takes packets as long as there are whole ones and nothing holds them up; reads the socket only meanwhile. */
  #take(): void {
    if (this.#isTaking) return;
    this.#isTaking = true;
    while (this.#state !== "closed" && (this.#isHolding || this.#reader.next())) {
      this.#isHolding = !this.#takePacket();
      if (this.#isHolding) break;
      this.liveness.heard();
    }
    this.#isTaking = false;
    const { fault } = this.#reader;
    if (fault !== undefined && !this.#isHolding) this.#refuse(fault);
    if (this.#isHolding) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #refuse(fault: NonNullable<PacketReader["fault"]>): void {
    if (this.#state === "closed") return;
    if (fault.kind === "too_large")
      this.#path.refused(
        "packet.too_large",
        this,
        this.#state === "opening"
          ? `A CONNECT of ${fault.bytes} bytes is over ${this.#path.limits.connectBytesMax}.`
          : `A packet of ${fault.bytes} bytes is over ingest.packetBytesMax.`,
      );
    else this.#path.refused("packet.invalid", this, "What it sends is not MQTT.");
    this.close();
  }

  /** False when the packet has to wait. */
  #takePacket(): boolean {
    if (this.#state === "connecting") return false;
    const first = this.#reader.bytes[this.#reader.start] ?? 0;
    if (this.#state === "opening") return this.#open();
    const isPublish = first >> 4 === 3;
    const qos = (first >> 1) & 3;
    if (isPublish && qos < 2) return this.#takePublish(first, qos === 0 ? 0 : 1);
    if (this.#isBrokerFull) return false;
    if (isPublish && this.#slowing !== undefined) return false;
    if (isPublish) {
      this.#exactlyOnce++;
      this.#spend();
    }
    this.#forward();
    return true;
  }

  #open(): boolean {
    const { bytes, bodyStart, end } = this.#reader;
    // MQTT 3.1.1 §3.1.2: the protocol's name and level.
    if (bytes.toString("latin1", bodyStart, Math.min(end, bodyStart + 7)) === "\0\u0004MQTT\u0005") {
      this.#path.speaksMqtt5(this);
      this.#state = "closed";
      return true;
    }
    this.#state = "connecting";
    this.#forward();
    return true;
  }

  /** The broker keeps parts of what it gets: a copy does not keep the whole chunk in memory with them. */
  #forward(): void {
    const { bytes, start, end } = this.#reader;
    this.#isBrokerFull = !this.link.forward(Buffer.from(bytes.subarray(start, end)));
  }

  #takePublish(first: number, qos: 0 | 1): boolean {
    if (this.#exactlyOnce > 0 || this.#areAcknowledgementsUnread || this.#isOverLimit()) return false;
    if (this.#slowing !== undefined) return false;
    const { packets, intake } = this.#path;
    const { bytes, start, end } = this.#reader;
    const fault = packets.read(bytes, this.#reader, qos);
    if (fault !== undefined) {
      this.#path.refused("packet.invalid", this, `It sends ${fault}.`);
      this.close();
      return true;
    }
    if (this.#path.isStopping()) {
      intake.refuse("publish.stopping"); // Left unanswered, so that its sender keeps it.
      return true;
    }
    const { topic } = packets;
    if (!this.#mayPublish(topic)) return true;
    if (!intake.hasRoom(end - start + WAITING_BYTES + 3 * topic.length)) {
      this.#awaitRoom();
      return false;
    }
    if (this.#rate !== undefined) this.#spend();
    this.#put(first, qos);
    return true;
  }

  /** Counts a publish; over the rate, publishes wait in the socket until what has come is paid for. */
  #spend(): void {
    const { start, end } = this.#reader;
    const pauseMs = this.#rate?.spend(1, end - start, this.#path.clock.monotonicUs()) ?? 0;
    if (pauseMs > 0) void this.#slowDown(pauseMs);
  }

  async #slowDown(pauseMs: number): Promise<void> {
    this.#path.intake.refuse("publish.paused");
    this.#slowing = new AbortController();
    await this.#path.clock.sleep(pauseMs, this.#slowing.signal);
    this.#slowing = undefined;
    this.#take();
  }

  #isOverLimit(): boolean {
    const { unsettledMessagesMax, unsettledBytesMax } = this.#path.limits;
    return (
      this.#unsettled.count + this.#deliveringCount >= unsettledMessagesMax ||
      this.#unsettled.totalBytes + this.#deliveringBytes >= unsettledBytesMax
    );
  }

  #mayPublish(topic: string): boolean {
    const refusal = this.#rights?.publishRefusal(topic);
    if (refusal === undefined) return true;
    this.#path.refused(refusal, this, `Devices may not publish to ${topic}.`);
    this.close();
    return false;
  }

  #awaitRoom(): void {
    if (this.#isRoomAwaited) return;
    this.#isRoomAwaited = true;
    this.#path.intake.whenRoom(() => {
      this.#isRoomAwaited = false;
      this.#take();
    });
  }

  #put(first: number, qos: 0 | 1): void {
    const { packets, intake, subscriptions } = this.#path;
    const { bytes, start, end } = this.#reader;
    const { topic, packetId, payloadStart } = packets;
    const payload = bytes.subarray(payloadStart, end);
    const retain = (first & 1) === 1;
    const isWanted = retain || subscriptions.find(topic).isWanted;
    this.#unsettled.push(
      packetId,
      end - start,
      isWanted ? toDeliver(topic, payload, { qos, retain }) : undefined,
    );
    this.#isPutting = true;
    intake.enter(
      {
        client: this.#client?.id ?? "",
        packetId,
        qos,
        dup: (first & 8) !== 0,
        retain,
        topic,
        payload,
        receivedAtUs: this.#receivedAtUs,
      },
      this.#settled,
    );
    this.#isPutting = false;
  }

  /** One for all messages of the connection: the sink settles them in order, or within the call. */
  readonly #settled = (error: Error | undefined): void => {
    this.#path.intake.left(error);
    const unsettled = this.#unsettled;
    if (this.#isPutting) unsettled.settleLast(error === undefined);
    else unsettled.settleFirst(error === undefined);
    while (unsettled.shift()) {
      if (!unsettled.isStored) {
        // QoS 0 has no acknowledgement to hold back; it was counted where it failed.
        if (unsettled.packetId !== 0) this.close();
        continue;
      }
      if (unsettled.packetId !== 0 && this.#state !== "closed") this.#acknowledged.push(unsettled.packetId);
      if (unsettled.wanted !== undefined) this.#deliver(unsettled.wanted);
    }
    this.#path.acknowledgements.add(this);
  };

  /** Hands a durable message to the broker; what subscribers are slow to take holds up the publisher. */
  #deliver(packet: PublishPacket): void {
    const bytes = packet.payload.length;
    this.#deliveringCount++;
    this.#deliveringBytes += bytes;
    this.#path.deliver(packet, () => {
      this.#deliveringCount--;
      this.#deliveringBytes -= bytes;
      if (this.#isHolding) this.#path.acknowledgements.add(this);
    });
  }
}

/** The message as subscribers get it: with a payload of its own, and without DUP (MQTT 3.1.1 §3.3.1.1). */
function toDeliver(
  topic: string,
  payload: Uint8Array,
  { qos, retain }: { readonly qos: 0 | 1; readonly retain: boolean },
): PublishPacket {
  const own = Buffer.allocUnsafeSlow(payload.length);
  own.set(payload);
  return { cmd: "publish", topic, payload: own, qos, retain, dup: false };
}
