import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import type { Client, ConnectPacket, Subscription } from "aedes";
import type { ClientRights, PublishRights, SubscribeRefusal } from "./access.ts";
import { type Admission, type ConnectRefusal, Doorkeeper } from "./doorkeeper.ts";
import { RereadFiles } from "./reread-files.ts";
import { forgetSession, keepOnlyGranted, type SessionMemory } from "./session-memory.ts";
import { type Connected, Sessions } from "./sessions.ts";
import { isLoopback } from "./loopback.ts";
import type { BrokerSettings } from "./settings.ts";
import { certificateOf } from "./tls.ts";
import { readUsers, type Users } from "./users-file.ts";

/** Why a client, a subscription or a session is refused or ended. */
export type AdmissionRefusal =
  ConnectRefusal | SubscribeRefusal | "session.limit" | "session.expired" | "session.revoked";

export interface AdmissionsOptions {
  readonly settings: BrokerSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** Counts what is refused, and says it once for each client. */
  readonly refuse: (reason: AdmissionRefusal, clientId: string | null, detail: string) => void;
  /** The connection itself, whatever the broker reads it through. */
  readonly socketOf: (client: Client) => Socket;
}

/** What a CONNECT said that is needed after it. */
interface Wish {
  readonly will: ConnectPacket["will"];
  readonly isKept: boolean;
  readonly hasName: boolean;
}

type Answer = (
  error: (Error & { readonly returnCode: 2 | 3 | 4 | 5 }) | null,
  isAdmitted: boolean | null,
) => void;

/** How often sessions that are too old are looked for; they are kept for hours or days. */
const SESSION_CHECK_MS = 10_000;

/** The broker's questions of who gets in and what for: answers them, and remembers the answers for each client. */
export class Admissions {
  readonly #options: AdmissionsOptions;
  readonly #doorkeeper: Doorkeeper;
  readonly #sessions: Sessions;
  readonly #wishes = new WeakMap<Client, Wish>();
  readonly #rights = new WeakMap<object, ClientRights>();
  readonly #usersFile: RereadFiles | undefined;
  readonly #stopping = new AbortController();
  #users: Users | undefined;
  #grantedNow: Subscription | undefined;
  #memory: SessionMemory | undefined;
  #running = Promise.resolve();

  constructor(options: AdmissionsOptions) {
    const { settings, clock, log } = options;
    this.#options = options;
    this.#doorkeeper = new Doorkeeper(settings, clock, () => this.#users);
    this.#sessions = new Sessions(settings);
    const { usersFile, recheckS } = settings;
    if (usersFile !== undefined)
      this.#usersFile = new RereadFiles({
        files: [usersFile],
        load: () => this.#loadUsers(usersFile),
        everyS: recheckS,
        clock,
        log,
      });
  }

  /** Why the newest users are not in use. */
  get problem(): string | undefined {
    return this.#usersFile?.problem;
  }

  /** Throws PipelineError "ingest.users_unreadable" or "ingest.users_malformed". */
  start(memory: SessionMemory): void {
    this.#memory = memory;
    keepOnlyGranted(memory, () => this.#grantedNow);
    this.#usersFile?.start();
    this.#running = this.#expireSessions();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#usersFile?.stop();
    await this.#running;
  }

  /** What a client that was let in may publish; undefined for one that was not. */
  rightsOf(client: Client): PublishRights | undefined {
    return this.#rights.get(client);
  }

  /** Notes what a CONNECT asks for, and bounds its keep-alive: nobody is silent for ever. */
  connecting(client: Client, packet: ConnectPacket): void {
    const { keepAliveMaxS } = this.#options.settings;
    const asked = packet.keepalive ?? 0;
    packet.keepalive = asked === 0 ? keepAliveMaxS : Math.min(asked, keepAliveMaxS);
    const isKept = packet.clean !== true;
    this.#wishes.set(client, { will: packet.will, isKept, hasName: packet.clientId !== "" });
  }

  /** aedes's `authenticate`. */
  authenticate(
    client: Client,
    {
      username,
      password,
    }: { readonly username: string | undefined; readonly password: Uint8Array | undefined },
    answer: Answer,
  ): void {
    // Whoever is gone already has no address to be judged by, and is not counted as refused.
    if (this.#options.socketOf(client).destroyed) return answer(refusal("its connection is gone", 3), null);
    this.#admit(client, username, password).then(
      (admission) => {
        if (admission.kind === "admitted") return answer(null, true);
        const { reason, returnCode, detail } = admission;
        this.#options.refuse(
          reason,
          client.id,
          `${detail} (${this.#options.socketOf(client).remoteAddress})`,
        );
        return answer(refusal(detail, returnCode), null);
      },
      (error: unknown) => {
        this.#options.log.error({ error: describeError(error) }, "a client could not be checked");
        answer(refusal("it could not be checked", 3), null);
      },
    );
  }

  /** aedes's `authorizeSubscribe`: without a subscription the SUBACK says 0x80 (MQTT 3.1.1 §3.9.3). */
  authorizeSubscribe(
    client: Client | null,
    subscription: Subscription,
    answer: (error: Error | null, subscription: Subscription | null) => void,
  ): void {
    const rights = client === null ? undefined : this.#rights.get(client);
    const reason = rights === undefined ? "subscribe.denied" : rights.subscribeRefusal(subscription.topic);
    if (reason === undefined) {
      rights?.subscribed(subscription.topic);
      this.#grantedNow = subscription;
      answer(null, subscription); // The broker keeps it within the call.
      this.#grantedNow = undefined;
      return;
    }
    this.#options.refuse(
      reason,
      client?.id ?? null,
      `It may not subscribe to ${subscription.topic.slice(0, 256)}.`,
    );
    answer(null, null);
  }

  unsubscribed(client: Client, filters: readonly string[]): void {
    const rights = this.#rights.get(client);
    for (const filter of filters) rights?.unsubscribed(filter);
  }

  async #admit(
    client: Client,
    username: string | undefined,
    password: Uint8Array | undefined,
  ): Promise<Admission> {
    const wish = this.#wishes.get(client);
    this.#wishes.delete(client);
    if (wish?.isKept === true && !wish.hasName) return NAMELESS;
    const socket = this.#options.socketOf(client);
    const admission = await this.#doorkeeper.admit({
      clientId: client.id,
      username,
      password,
      will:
        wish?.will === undefined
          ? undefined
          : { topic: wish.will.topic, payloadBytes: Buffer.byteLength(wish.will.payload) },
      address: socket.remoteAddress ?? "",
      isLoopback: isLoopback((socket.remoteAddress ?? "").replace(/^::ffff:/, "")),
      certificate:
        socket instanceof TLSSocket
          ? certificateOf(socket, this.#options.settings.tls?.userFromCertificate ?? "none")
          : { state: "none" },
      isWanted: () => !client.closed,
    });
    if (admission.kind === "refused" || client.closed) return admission;
    return this.#enter(client, { admission, socket, isKept: wish?.isKept === true });
  }

  /** Takes the client id for its user, at once, so that nobody else gets it meanwhile. */
  async #enter(
    client: Client,
    entrant: {
      readonly admission: Extract<Admission, { kind: "admitted" }>;
      readonly socket: Socket;
      readonly isKept: boolean;
    },
  ): Promise<Admission> {
    const { admission, socket, isKept } = entrant;
    const identity = { clientId: client.id, username: admission.username };
    if (this.#sessions.isTaken(identity)) return TAKEN;
    const isForeign = this.#sessions.isForeign(identity);
    const connection: Connected = {
      identity,
      secret: admission.secret,
      isKept,
      close: () => socket.destroy(),
    };
    this.#rights.set(client, admission.rights);
    this.#sessions.connected(connection);
    socket.once("close", () => {
      this.#sessions.disconnected(connection, this.#options.clock.monotonicUs());
      if (isKept) void this.#endSessions();
    });
    if (isForeign) await this.#forget(client.id);
    return admission;
  }

  #loadUsers(path: string): void {
    const users = readUsers(path);
    this.#users = users;
    const revoked = this.#sessions.connectionsWhere(
      ({ identity, secret }) => secret !== undefined && users.get(identity.username ?? "")?.text !== secret,
    );
    for (const { identity, close } of revoked) {
      this.#options.refuse(
        "session.revoked",
        identity.clientId,
        "Its user or password is no longer in usersFile.",
      );
      close();
    }
  }

  async #expireSessions(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#options.clock.sleep(SESSION_CHECK_MS, signal);
      await this.#endSessions();
    }
  }

  async #endSessions(): Promise<void> {
    for (const { clientId, reason } of this.#sessions.endOverLimits(this.#options.clock.monotonicUs())) {
      this.#options.refuse(reason, clientId, "What was kept for it while it is away is forgotten.");
      await this.#forget(clientId);
    }
  }

  async #forget(clientId: string): Promise<void> {
    if (this.#memory !== undefined) await forgetSession(this.#memory, clientId);
  }
}

/** MQTT 3.1.1 §3.1.3.1. */
const NAMELESS: Admission = {
  kind: "refused",
  reason: "connect.client_id",
  returnCode: 2,
  detail: "A session that is to be kept needs a client id.",
};

const TAKEN: Admission = {
  kind: "refused",
  reason: "connect.client_id_taken",
  returnCode: 2,
  detail: "Another user has this client id.",
};

/** Counted where it was decided; the broker only says it to the client. */
const refusal = (detail: string, returnCode: 2 | 3 | 4 | 5): PipelineError & { returnCode: 2 | 3 | 4 | 5 } =>
  Object.assign(new PipelineError("ingest.not_admitted", detail), { returnCode });
