import { Aedes } from "aedes";
import type { PublishPacket } from "aedes";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";

/** A publish as a broker saw it, before it acknowledged. */
export interface SeenPublish {
  readonly client: string;
  readonly packetId: number;
  readonly dup: boolean;
  readonly qos: number;
  readonly topic: string;
  readonly payload: Buffer;
}

export interface TestBroker {
  readonly url: string;
  readonly port: number;
  readonly seen: SeenPublish[];
  /** Cuts every connection at once and stops listening, as a killed process would. */
  readonly kill: () => Promise<void>;
}

export interface BrokerOptions {
  readonly port?: number;
  /** Holds each PUBACK until it resolves; a rejection closes the client's connection instead. */
  readonly beforeAck?: (publish: SeenPublish) => Promise<void>;
  readonly authenticate?: (username: string | undefined, password: string | undefined) => boolean;
}

/** A real MQTT broker (aedes) in memory on a free port, or on a given one after a kill. */
export async function startBroker(options: BrokerOptions = {}): Promise<TestBroker> {
  const seen: SeenPublish[] = [];
  const sockets = new Set<Socket>();
  const broker = await Aedes.createBroker({
    authorizePublish: (client, packet, done) => {
      if (client === null) return done(null);
      const publish = seenPublish(client.id, packet);
      seen.push(publish);
      void (async () => {
        let refusal: Error | null = null;
        try {
          await options.beforeAck?.(publish);
        } catch (error) {
          refusal = error instanceof Error ? error : new Error(String(error));
        }
        done(refusal);
      })();
      return undefined;
    },
    authenticate: (_client, username, password, done) =>
      done(null, options.authenticate?.(username, password?.toString()) ?? true),
  });
  // A client that goes away is what these tests are about.
  broker.on("clientError", () => undefined);
  broker.on("connectionError", () => undefined);
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    broker.handle(socket);
  });
  const port = await listen(server, options.port);
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    seen,
    kill: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      await new Promise<void>((resolve) => broker.close(() => resolve()));
    },
  };
}

/** Listens on loopback, on a free port unless one is given; returns the port. */
export async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function seenPublish(client: string, packet: PublishPacket): SeenPublish {
  return {
    client,
    packetId: packet.messageId ?? 0,
    dup: packet.dup,
    qos: packet.qos,
    topic: packet.topic,
    payload: Buffer.from(packet.payload),
  };
}
