import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { mkdirSync } from "node:fs";
import { present } from "@sluice/shared/runtime/assert.ts";
import { type Clock, isoTime, systemClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { type Answer, httpDate, xmlAnswer } from "./answer.ts";
import { failureBody, S3Failure } from "./failure.ts";
import { type Fault, FaultOrders } from "./faults.ts";
import { readRequest, type S3Request } from "./request.ts";
import { S3Service } from "./service.ts";
import { type Credentials, verifySignature } from "./signature.ts";

export interface ObjectStoreOptions {
  /** Where it listens; left out, on loopback at a free port. */
  readonly host?: string;
  readonly port?: number;
  /** The folder that objects are kept in; left out, they are kept in memory. */
  readonly dir?: string;
  readonly bucket?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** The server's own clock, which signatures are checked against. */
  readonly clock?: Clock;
}

export interface ObjectStoreStats {
  /** Requests by method, whatever became of them. */
  readonly requests: Readonly<Record<string, number>>;
  readonly refused: number;
  readonly faults: number;
}

export interface RunningObjectStore {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  orderFault(fault: Fault): void;
  clearFaults(): void;
  stats(): ObjectStoreStats;
  stop(): Promise<void>;
}

/**
 * Starts a small S3 server: single objects with conditions, ranges and metadata, listing, multipart uploads, signature
 * version 4, checksums; path style only. What it does not know it refuses with NotImplemented.
 *
 * Throws a PipelineError "object-store.port" where it cannot listen.
 */
export async function startObjectStore(options: ObjectStoreOptions = {}): Promise<RunningObjectStore> {
  const { host = "127.0.0.1", port = 0, bucket = "lake", clock = systemClock } = options;
  const credentials: Credentials = {
    accessKeyId: options.accessKeyId ?? "sluice",
    secretAccessKey: options.secretAccessKey ?? "sluice-secret",
  };
  if (options.dir !== undefined) mkdirSync(options.dir, { recursive: true });
  const service = new S3Service(options.dir);
  service.createBucket(bucket);
  const faults = new FaultOrders();
  const counts: Serving["counts"] = { requests: {}, refused: 0 };
  const stopping = new AbortController();
  const server = createServer((incoming, outgoing) => {
    serve(
      { service, faults, clock, credentials, counts, stopping: stopping.signal },
      incoming,
      outgoing,
    ).catch(() => outgoing.destroy());
  });
  const address = await listen(server, host, port);
  return {
    endpoint: `http://${host}:${address}`,
    bucket,
    ...credentials,
    orderFault: (fault) => faults.order(fault),
    clearFaults: () => faults.clear(),
    stats: () => ({ requests: { ...counts.requests }, refused: counts.refused, faults: faults.served }),
    stop: () => {
      stopping.abort();
      return close(server);
    },
  };
}

interface Serving {
  readonly service: S3Service;
  readonly faults: FaultOrders;
  readonly clock: Clock;
  readonly credentials: Credentials;
  readonly counts: { readonly requests: Record<string, number>; refused: number };
  readonly stopping: AbortSignal;
}

async function serve(serving: Serving, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const method = incoming.method ?? "GET";
  serving.counts.requests[method] = (serving.counts.requests[method] ?? 0) + 1;
  let request: S3Request;
  try {
    request = await readRequest(incoming);
  } catch (error) {
    send(serving, outgoing, failureAnswer(serving, error, incoming.url ?? "/"));
    return;
  }
  const fault = serving.faults.take(request);
  if (fault?.kind === "cut") {
    outgoing.destroy();
    return;
  }
  if (fault?.kind === "slow") await serving.clock.sleep(fault.ms, serving.stopping);
  const reply = fault?.kind === "refuse" ? refusal(serving, request, fault) : respond(serving, request);
  if (fault?.kind === "lost-reply") outgoing.destroy();
  else if (fault?.kind === "torn-read") sendTorn(serving, outgoing, reply);
  else send(serving, outgoing, reply, method === "HEAD");
}

function respond(serving: Serving, request: S3Request): Answer {
  const nowUs = serving.clock.nowUs();
  try {
    verifySignature(request, serving.credentials, nowUs);
    return serving.service.handle(request, nowUs);
  } catch (error) {
    return failureAnswer(serving, error, request.path);
  }
}

function refusal(serving: Serving, request: S3Request, fault: { status: number; code: string }): Answer {
  return failureAnswer(serving, new S3Failure(fault.status, fault.code, "As ordered."), request.path);
}

function failureAnswer(serving: Serving, error: unknown, resource: string): Answer {
  serving.counts.refused += 1;
  const failure =
    error instanceof S3Failure ? error : new S3Failure(500, "InternalError", `We failed: ${String(error)}`);
  return xmlAnswer(failure.status, failureBody(failure, resource));
}

function send(serving: Serving, outgoing: ServerResponse, reply: Answer, headersOnly = false): void {
  writeHead(serving, outgoing, reply);
  outgoing.end(headersOnly || reply.status === 304 ? undefined : reply.body);
}

/** Announces the whole body, sends half of it and closes. */
function sendTorn(serving: Serving, outgoing: ServerResponse, reply: Answer): void {
  writeHead(serving, outgoing, reply);
  outgoing.write(reply.body.subarray(0, Math.floor(reply.body.byteLength / 2)), () => outgoing.destroy());
}

function writeHead(serving: Serving, outgoing: ServerResponse, reply: Answer): void {
  const nowUs = serving.clock.nowUs();
  outgoing.writeHead(reply.status, {
    "content-length": String(reply.body.byteLength),
    date: httpDate(nowUs, isoTime(nowUs)),
    server: "sluice-sim",
    ...reply.headers,
  });
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new PipelineError("object-store.port", `cannot listen on ${host}:${port}`, {
          cause,
          hint: "Give another port, or 0 for a free one.",
        }),
      ),
    );
    server.listen(port, host, () => {
      const address = server.address();
      resolve(
        present(typeof address === "object" ? address?.port : undefined, "a listening server has a port"),
      );
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
