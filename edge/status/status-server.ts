import { type OnlineAnswer, type OnlineQuery, onlineRequestSchema } from "@sluice/shared/contract/online.ts";
import { type Clock, systemClock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import { fastify, type FastifyInstance, type FastifyReply } from "fastify";
import { Counter, Gauge, Registry } from "prom-client";
import type { GatewayStatus } from "./gateway-status.ts";
import { metricsOf } from "./metrics.ts";
import type { StatusSettings } from "./settings.ts";

/** How long the gateway may take to say how it is: a probe that waits longer learns nothing more. */
const ANSWER_MS = 3_000;

export interface StatusServerOptions {
  readonly settings: StatusSettings;
  readonly snapshot: () => Promise<GatewayStatus>;
  /** Rejects with a PipelineError "features.…" where there is no such view or feature. */
  readonly online: (query: OnlineQuery) => Promise<OnlineAnswer>;
  readonly clock?: Clock;
}

/** What a URL says; each may come several times. */
interface OnlineParameters {
  readonly device?: string | readonly string[];
  readonly feature?: string | readonly string[];
}

/**
 * Serves `/status` as JSON, `/healthz` (200, or 503 with the reasons), `/metrics` for Prometheus, and the newest feature
 * vectors at `/features/<view>?device=<device>&feature=<name>` (both may be given several times).
 *
 * A gateway that does not say in time how it is, or cannot, is 503 everywhere, with the reason.
 */
export class StatusServer implements Part {
  readonly name = "status";
  readonly #options: StatusServerOptions;
  readonly #clock: Clock;
  readonly #server: FastifyInstance;
  #address = "";

  constructor(options: StatusServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#server = fastify({ forceCloseConnections: true });
    this.#server.setErrorHandler((error, _request, reply) =>
      reply.code(503).send({ healthy: false, problems: [describeError(error)] }),
    );
    this.#server.get("/status", () => this.#snapshot());
    this.#server.get("/healthz", async (_request, reply) => {
      const { healthy, problems } = await this.#snapshot();
      return reply.code(healthy ? 200 : 503).send({ healthy, problems });
    });
    this.#server.get<{ Params: { view: string }; Querystring: OnlineParameters }>(
      "/features/:view",
      (request, reply) => this.#features(request.params.view, request.query, reply),
    );
    this.#server.get("/metrics", async (_request, reply) => sendMetrics(await this.#snapshot(), reply));
  }

  /** host:port once started. */
  get address(): string {
    return this.#address;
  }

  /** Throws PipelineError "status.port_in_use" or "status.address_refused". */
  async start(): Promise<void> {
    const { host, port } = this.#options.settings;
    try {
      this.#address = (await this.#server.listen({ host, port })).replace("http://", "");
    } catch (cause) {
      throw listenError(cause, host, port);
    }
  }

  async stop(): Promise<void> {
    await this.#server.close();
  }

  async #features(view: string, query: OnlineParameters, reply: FastifyReply): Promise<FastifyReply> {
    const { data, error } = onlineRequestSchema.safeParse({
      view,
      devices: [query.device ?? []].flat(),
      ...(query.feature === undefined ? {} : { features: [query.feature].flat() }),
    });
    if (data === undefined) {
      const message = error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
      const hint = "Ask as in /features/pump_health?device=pump-1&device=pump-2.";
      return reply.code(400).send({ error: { code: "features.request_invalid", message, hint } });
    }
    try {
      return await reply.send(await this.#options.online(data));
    } catch (failure) {
      if (!(failure instanceof PipelineError) || !failure.code.startsWith("features.")) throw failure;
      const { code, message, hint } = failure;
      return reply.code(404).send({ error: { code, message, hint } });
    }
  }

  async #snapshot(): Promise<GatewayStatus> {
    const timer = new AbortController();
    const late = this.#clock.sleep(ANSWER_MS, timer.signal).then(() => undefined);
    try {
      const status = await Promise.race([this.#options.snapshot(), late]);
      if (status !== undefined) return status;
    } finally {
      timer.abort();
    }
    throw new PipelineError("status.no_answer", `the gateway did not say within ${ANSWER_MS} ms how it is`, {
      hint: "Its worker is busy or stuck; look at its log.",
    });
  }
}

async function sendMetrics(status: GatewayStatus, reply: FastifyReply): Promise<FastifyReply> {
  const registry = new Registry();
  for (const { name, help, kind, samples } of metricsOf(status)) {
    const labelNames = Object.keys(samples[0]?.labels ?? {});
    const settings = { name, help, labelNames, registers: [registry] };
    if (kind === "counter") {
      const counter = new Counter(settings);
      for (const { labels, value } of samples) counter.inc(labels, value);
    } else {
      const gauge = new Gauge(settings);
      for (const { labels, value } of samples) gauge.set(labels, value);
    }
  }
  return reply.type(registry.contentType).send(await registry.metrics());
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
