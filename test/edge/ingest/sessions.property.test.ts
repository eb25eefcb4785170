import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ConnectionLimits, type LimitedSocket } from "../../../edge/ingest/connection-limits.ts";
import { type Connected, Sessions } from "../../../edge/ingest/sessions.ts";

const CLIENT_IDS = ["a", "b", "c", "d"] as const;
const USERS = [undefined, "ada", "bob"] as const;

type Command =
  | {
      readonly kind: "connect";
      readonly clientId: string;
      readonly username: string | undefined;
      readonly isKept: boolean;
    }
  | { readonly kind: "close"; readonly index: number }
  | { readonly kind: "wait"; readonly seconds: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant("connect" as const),
    clientId: fc.constantFrom(...CLIENT_IDS),
    username: fc.constantFrom(...USERS),
    isKept: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("close" as const), index: fc.nat(20) }),
  fc.record({ kind: fc.constant("wait" as const), seconds: fc.nat(50) }),
);

interface Kept {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly sinceUs: number;
}

test("whatever comes and goes, an id has one owner, and of those away only the newest few are kept, and not for ever", () => {
  const limits = { sessionsMax: 2, sessionAgeS: 100 };
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const sessions = new Sessions(limits);
      const online = new Map<string, Connected>();
      let away: Kept[] = [];
      const all: Connected[] = [];
      let nowUs = 0;
      const said: unknown[] = [];
      const meant: unknown[] = [];
      for (const step of commands) {
        if (step.kind === "wait") nowUs += step.seconds * 1_000_000;
        if (step.kind === "close") {
          const connection = all[step.index];
          if (connection === undefined) continue;
          const { clientId, username } = connection.identity;
          sessions.disconnected(connection, nowUs);
          if (online.get(clientId) !== connection) continue;
          online.delete(clientId);
          if (connection.isKept) away.push({ clientId, username, sinceUs: nowUs });
        }
        if (step.kind === "connect") {
          const { clientId, username, isKept } = step;
          const identity = { clientId, username };
          const present = online.get(clientId)?.identity ?? away.find((kept) => kept.clientId === clientId);
          const owner = present?.username;
          said.push([sessions.isTaken(identity), sessions.isForeign(identity)]);
          meant.push([
            owner !== undefined && owner !== username,
            present !== undefined && owner === undefined && username !== undefined,
          ]);
          if (sessions.isTaken(identity)) continue;
          const connection: Connected = { identity, secret: undefined, isKept, close: () => undefined };
          all.push(connection);
          sessions.connected(connection);
          online.set(clientId, connection);
          away = away.filter((kept) => kept.clientId !== clientId);
        }
        const ended = sessions.endOverLimits(nowUs).map(({ clientId }) => clientId);
        const expected = away.filter(
          ({ sinceUs }, i) => i < away.length - limits.sessionsMax || nowUs - sinceUs > 100_000_000,
        );
        expect(ended).toEqual(expected.map(({ clientId }) => clientId));
        away = away.filter((kept) => !expected.includes(kept));
        expect(sessions.offlineCount).toBe(away.length);
        expect(sessions.connectionsWhere(() => true)).toHaveLength(online.size);
      }
      expect(said).toEqual(meant);
    }),
  );
});

class FakeSocket implements LimitedSocket {
  readonly remoteAddress: string;
  readonly remotePort: number;
  isDestroyed = false;
  #closed: () => void = () => undefined;

  constructor(address: string, port: number) {
    this.remoteAddress = address;
    this.remotePort = port;
  }

  once(_event: "close", listener: () => void): void {
    this.#closed = listener;
  }

  /** Closes at once, as a socket does a turn later. */
  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.#closed();
  }
}

test("connections never exceed a limit, whatever opens, says CONNECT and closes", () => {
  const settings = { connectionsMax: 6, connectionsPerAddressMax: 3, halfOpenMax: 2 };
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom("open", "connect", "close"), fc.nat(3), fc.nat(30)), {
        maxLength: 100,
      }),
      (steps) => {
        const refused: string[] = [];
        const limits = new ConnectionLimits(settings, (reason) => refused.push(reason));
        const admitted: FakeSocket[] = [];
        const established = new Set<FakeSocket>();
        let turnedAway = 0;
        for (const [step, host, index] of steps) {
          const chosen = admitted[index];
          if (step === "open") {
            const socket = new FakeSocket(`192.0.2.${host}`, admitted.length + turnedAway);
            if (limits.admit(socket)) admitted.push(socket);
            else turnedAway++;
          } else if (step === "connect" && chosen?.isDestroyed === false) {
            limits.established(chosen);
            established.add(chosen);
          } else if (step === "close") chosen?.destroy();
          const open = admitted.filter((socket) => !socket.isDestroyed);
          expect(open.length).toBeLessThanOrEqual(settings.connectionsMax);
          expect(open.filter((socket) => !established.has(socket)).length).toBeLessThanOrEqual(
            settings.halfOpenMax,
          );
          for (const address of new Set(open.map(({ remoteAddress }) => remoteAddress)))
            expect(open.filter(({ remoteAddress }) => remoteAddress === address).length).toBeLessThanOrEqual(
              settings.connectionsPerAddressMax,
            );
        }
        expect(refused.filter((reason) => reason !== "connect.half_open")).toHaveLength(turnedAway);
      },
    ),
  );
});
