import type { Identity } from "./access.ts";

/** A connection that was let in. */
export interface Connected {
  readonly identity: Identity;
  /** What the user's password is checked against; undefined without one. */
  readonly secret: string | undefined;
  /** Whether its session is kept when it is gone. */
  readonly isKept: boolean;
  readonly close: () => void;
}

export interface SessionLimits {
  readonly sessionsMax: number;
  readonly sessionAgeS: number;
}

/** A session that ends before its client is back. */
export interface EndedSession {
  readonly clientId: string;
  readonly reason: "session.limit" | "session.expired";
}

interface Offline {
  readonly username: string | undefined;
  readonly sinceUs: number;
}

/**
 * Who has which client id, now or in a session that is kept: a client id belongs to the user who uses it.
 *
 * Sessions of clients that are away are bounded in number and age; the one that is away the longest ends first.
 */
export class Sessions {
  readonly #limits: SessionLimits;
  readonly #online = new Map<string, Connected>();
  /** In the order in which they went. */
  readonly #offline = new Map<string, Offline>();

  constructor(limits: SessionLimits) {
    this.#limits = limits;
  }

  get offlineCount(): number {
    return this.#offline.size;
  }

  /** Whether somebody else has the client id. A client without a name gives way to a user, never the reverse. */
  isTaken({ clientId, username }: Identity): boolean {
    const owner = this.#ownerOf(clientId);
    return owner !== undefined && owner !== username;
  }

  /** Whether what is kept under the client id is a nameless client's, and not for the user who takes it over. */
  isForeign({ clientId, username }: Identity): boolean {
    const isThere = this.#online.has(clientId) || this.#offline.has(clientId);
    return username !== undefined && isThere && this.#ownerOf(clientId) === undefined;
  }

  connected(connection: Connected): void {
    const { clientId } = connection.identity;
    this.#offline.delete(clientId);
    this.#online.set(clientId, connection);
  }

  /** The connection is gone; nothing changes where the client is already back on another one. */
  disconnected(connection: Connected, nowUs: number): void {
    const { clientId, username } = connection.identity;
    if (this.#online.get(clientId) !== connection) return;
    this.#online.delete(clientId);
    if (connection.isKept) this.#offline.set(clientId, { username, sinceUs: nowUs });
  }

  /** Takes out the sessions that are over the limits; what is kept for them is to be forgotten. */
  endOverLimits(nowUs: number): readonly EndedSession[] {
    const { sessionsMax, sessionAgeS } = this.#limits;
    const ended: EndedSession[] = [];
    for (const [clientId, { sinceUs }] of this.#offline) {
      const isOver = this.#offline.size > sessionsMax;
      if (!isOver && nowUs - sinceUs <= sessionAgeS * 1_000_000) break; // All that follow went later.
      this.#offline.delete(clientId);
      ended.push({ clientId, reason: isOver ? "session.limit" : "session.expired" });
    }
    return ended;
  }

  connectionsWhere(isMeant: (connection: Connected) => boolean): readonly Connected[] {
    return [...this.#online.values()].filter(isMeant);
  }

  #ownerOf(clientId: string): string | undefined {
    return (this.#online.get(clientId)?.identity ?? this.#offline.get(clientId))?.username;
  }
}
