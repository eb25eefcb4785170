import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { type AccessRule, ClientRights, isPlainLevel, namesClientId } from "./access.ts";
import { Logins } from "./logins.ts";
import type { BrokerSettings } from "./settings.ts";
import type { Certificate } from "./tls.ts";
import { type Users, USER_NAME } from "./users-file.ts";

/** Why a client is not let in: the names under which it is counted. */
export type ConnectRefusal =
  | "connect.anonymous"
  | "connect.credentials"
  | "connect.slowed"
  | "connect.busy"
  | "connect.certificate"
  | "connect.client_id"
  | "connect.client_id_taken"
  | "connect.will"
  | "connect.will_too_large";

/** What a CONNECT says, and where it comes from. */
export interface ConnectRequest {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly will: { readonly topic: string; readonly payloadBytes: number } | undefined;
  readonly address: string;
  readonly isLoopback: boolean;
  readonly certificate: Certificate;
  readonly isWanted: () => boolean;
}

export type Admission =
  | {
      readonly kind: "admitted";
      readonly username: string | undefined;
      /** What the user's password was checked against; undefined without one. */
      readonly secret: string | undefined;
      readonly rights: ClientRights;
    }
  | {
      readonly kind: "refused";
      readonly reason: ConnectRefusal;
      /** MQTT 3.1.1 §3.2.2.3: 2 identifier rejected, 3 unavailable, 4 bad user name or password, 5 not authorized. */
      readonly returnCode: 2 | 3 | 4 | 5;
      readonly detail: string;
    };

/** Who somebody is, once it is proved. */
type Proof =
  | { readonly kind: "proved"; readonly username: string | undefined; readonly secret: string | undefined }
  | Extract<Admission, { kind: "refused" }>;

/**
 * Decides who gets in, as whom, and what for.
 *
 * A certificate's name or a password proves a user's name; nothing else does. Without either a client gets in only
 * where no users are set up and it comes from this machine, or where `allowAnonymousRemote` says so.
 */
export class Doorkeeper {
  readonly #settings: BrokerSettings;
  readonly #rules: readonly AccessRule[] | undefined;
  readonly #logins: Logins;
  readonly #users: () => Users | undefined;

  /** `users` gives the present ones; undefined where there is no users file. */
  constructor(settings: BrokerSettings, clock: Clock, users: () => Users | undefined) {
    this.#settings = settings;
    this.#rules = settings.access;
    this.#logins = new Logins(clock, settings);
    this.#users = users;
  }

  async admit(request: ConnectRequest): Promise<Admission> {
    const idFault = this.#clientIdFault(request.clientId);
    if (idFault !== undefined) return refused("connect.client_id", 2, idFault);
    const proof = await this.#prove(request);
    if (proof.kind === "refused") return proof;
    const { username, secret } = proof;
    const rights = new ClientRights(this.#rules, { clientId: request.clientId, username }, this.#settings);
    const { will } = request;
    if (will !== undefined) {
      if (will.payloadBytes > this.#settings.willBytesMax)
        return refused("connect.will_too_large", 5, `Its will has ${will.payloadBytes} bytes.`);
      const fault = rights.publishRefusal(will.topic);
      if (fault !== undefined)
        return refused("connect.will", 5, `Its will may not go to its topic: ${fault}.`);
    }
    return { kind: "admitted", username, secret, rights };
  }

  #clientIdFault(clientId: string): string | undefined {
    if (Buffer.byteLength(clientId) > this.#settings.clientIdBytesMax)
      return "Its client id is over ingest.broker.clientIdBytesMax.";
    // A rule with {clientid} must mean one level: a client id that is a wildcard would make more of it.
    return namesClientId(this.#rules) && !isPlainLevel(clientId)
      ? "Its client id has +, #, / or a control character, and ingest.broker.access has rules with {clientid}."
      : undefined;
  }

  #prove(request: ConnectRequest): Proof | Promise<Proof> {
    const { certificate, username } = request;
    if (certificate.state === "refused") return refused("connect.certificate", 5, certificate.reason);
    if (certificate.state === "valid" && certificate.name !== undefined)
      return proveByCertificate(certificate.name, username);
    const users = this.#users();
    if (users !== undefined && username !== undefined) return this.#proveByPassword(request, username, users);
    const isCertified = certificate.state === "valid" && users === undefined;
    const isLocal = request.isLoopback && users === undefined;
    if (isCertified || isLocal || this.#settings.allowAnonymousRemote)
      return { kind: "proved", username: undefined, secret: undefined };
    return refused("connect.anonymous", 5, "It does not say who it is: give it a user and a password.");
  }

  async #proveByPassword(request: ConnectRequest, username: string, users: Users): Promise<Proof> {
    const { password = new Uint8Array(), address, isWanted } = request;
    const answer = await this.#logins.check({ username, password, address, isWanted }, users);
    if (answer === "right") return { kind: "proved", username, secret: users.get(username)?.text };
    if (answer === "wrong") return refused("connect.credentials", 4, "The user or the password is wrong.");
    if (answer === "slowed")
      return refused("connect.slowed", 3, "Too many wrong passwords from there: no more are looked at yet.");
    return refused("connect.busy", 3, "Too many passwords wait to be checked, or it did not wait.");
  }
}

function proveByCertificate(name: string, username: string | undefined): Proof {
  if (!USER_NAME.test(name))
    return refused("connect.certificate", 5, "The name in its certificate cannot be a user's name.");
  if (username !== undefined && username !== name)
    return refused(
      "connect.credentials",
      4,
      `It says that it is another user than its certificate says (${name}).`,
    );
  return { kind: "proved", username: name, secret: undefined };
}

const refused = (
  reason: ConnectRefusal,
  returnCode: 2 | 3 | 4 | 5,
  detail: string,
): Extract<Admission, { kind: "refused" }> => ({ kind: "refused", reason, returnCode, detail });
