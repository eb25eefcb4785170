import { createServer } from "node:net";

export interface PortChoice {
  readonly port: number;
  /** The default was taken by somebody else. */
  readonly isOther: boolean;
}

/** The wanted port on loopback, or a free one where it is taken. */
export async function choosePort(wanted: number): Promise<PortChoice> {
  const port = (await tryPort(wanted)) ?? (await tryPort(0));
  if (port === undefined) throw new Error("no free port on the loopback interface");
  return { port, isOther: port !== wanted };
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ host: "127.0.0.1", port }, () => {
      const address = server.address();
      const bound = typeof address === "object" && address !== null ? address.port : undefined;
      server.close(() => resolve(bound));
    });
  });
}
