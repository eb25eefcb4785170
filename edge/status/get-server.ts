import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";

/** Connections at once: probes, a scraper and a few people. */
const CONNECTIONS_MAX = 256;

/** How long a request may take to arrive; it has no body worth a word. */
const REQUEST_MS = 10_000;

/** What is sent back. */
export interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

export const jsonAnswer = (code: number, value: unknown): Answer => ({
  code,
  type: "application/json; charset=utf-8",
  body: JSON.stringify(value),
});

/** Answers a path, given with its query; undefined where there is nothing of this name. Must not reject. */
export type Answering = (url: URL) => Promise<Answer> | undefined;

/**
 * An HTTP server that answers GET and HEAD, and nothing else.
 *
 * Node's own server, because a framework takes 8 MiB of the gateway's memory for three paths.
 */
export class GetServer {
  readonly #server: Server;
  readonly #answering: Answering;

  constructor(answering: Answering) {
    this.#answering = answering;
    this.#server = createServer(
      { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS },
      (request, response) => this.#take(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Returns host:port. Throws PipelineError "status.port_in_use" or "status.address_refused". */
  listen(host: string, port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", (cause) => reject(listenError(cause, host, port)));
      this.#server.listen({ host, port }, () => {
        const address = this.#server.address();
        if (typeof address !== "object" || address === null) resolve(host);
        else
          resolve(`${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`);
      });
    });
  }

  /** Ends every connection; at once where it does not listen. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const { method = "", url = "" } = request;
    if (method !== "GET" && method !== "HEAD") {
      send(response, jsonAnswer(405, { error: `${method} is not answered here, GET is` }));
      return;
    }
    const place = URL.parse(url, "http://gateway");
    const answer = place === null ? undefined : this.#answering(place);
    if (answer === undefined)
      send(response, jsonAnswer(404, { error: `there is nothing at ${url.slice(0, 256)}` }));
    else void answer.then((ready) => send(response, ready));
  }
}

function send(response: ServerResponse, { code, type, body }: Answer): void {
  response.writeHead(code, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

function listenError(cause: unknown, host: string, port: number): PipelineError {
  if (cause instanceof Error && Reflect.get(cause, "code") === "EADDRINUSE")
    return new PipelineError("status.port_in_use", `${host}:${port} is in use by another program`, {
      hint: "Choose another status.port; 0 takes a free one.",
    });
  return new PipelineError("status.address_refused", `the status page cannot listen on ${host}:${port}`, {
    cause,
    hint: "Give status.host an address of this machine, and a port above 1023 or the right to use it.",
  });
}
