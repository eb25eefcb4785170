import { createServer, type Socket } from "node:net";
import { Aedes, type AedesOptions } from "aedes";

/** A broker that was there before the gateway: aedes as it is, on a free port. */
export interface Upstream {
  readonly aedes: Aedes;
  readonly address: string;
  /** Resolves when a subscriber has acknowledged the message with this topic and payload, or completed a QoS 2 one. */
  readonly acknowledged: (topic: string, payload: Uint8Array) => Promise<void>;
  /** Cuts every connection, as a network does. */
  readonly cut: () => void;
  readonly close: () => Promise<void>;
}

export async function openUpstream(options: AedesOptions = {}, port = 0): Promise<Upstream> {
  const aedes = await Aedes.createBroker(options);
  aedes.setMaxListeners(0);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    aedes.handle(socket);
  });
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port }, resolve));
  const bound = server.address();
  const address = `127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : ""}`;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    aedes,
    address,
    acknowledged: (topic, payload) =>
      new Promise((resolve) => {
        const heard = (packet: { readonly cmd: string } | undefined): void => {
          if (packet === undefined || !isAckOf(packet, topic, payload)) return;
          aedes.removeListener("ack", heard);
          resolve();
        };
        aedes.on("ack", heard);
      }),
    cut,
    close: async () => {
      await new Promise<void>((resolve) => {
        aedes.close(() => resolve());
      });
      cut();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}

/** aedes gives the PUBREL, not the publish, when a QoS 2 message is completed. */
function isAckOf(packet: { readonly cmd: string }, topic: string, payload: Uint8Array): boolean {
  if (packet.cmd === "pubrel") return true;
  const bytes: unknown = Reflect.get(packet, "payload");
  return Reflect.get(packet, "topic") === topic && bytes instanceof Buffer && bytes.equals(payload);
}
