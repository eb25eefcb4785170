import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import { fastify, type FastifyInstance } from "fastify";
import { Gauge, Registry } from "prom-client";
import type { GatewayStatus } from "./gateway-status.ts";
import { metricsOf } from "./metrics.ts";
import type { StatusSettings } from "./settings.ts";

/** Serves `/status` as JSON, `/healthz` (200, or 503 with the reasons) and `/metrics` for Prometheus. */
export class StatusServer implements Part {
  readonly name = "status";
  readonly #settings: StatusSettings;
  readonly #server: FastifyInstance;
  #address = "";

  constructor({
    settings,
    snapshot,
  }: {
    readonly settings: StatusSettings;
    readonly snapshot: () => Promise<GatewayStatus>;
  }) {
    this.#settings = settings;
    this.#server = fastify({ forceCloseConnections: true });
    this.#server.get("/status", () => snapshot());
    this.#server.get("/healthz", async (_request, reply) => {
      const { healthy, problems } = await snapshot();
      return reply.code(healthy ? 200 : 503).send({ healthy, problems });
    });
    this.#server.get("/metrics", async (_request, reply) => {
      const registry = new Registry();
      for (const { name, help, value } of metricsOf(await snapshot()))
        new Gauge({ name, help, registers: [registry] }).set(value);
      return reply.type(registry.contentType).send(await registry.metrics());
    });
  }

  /** host:port once started. */
  get address(): string {
    return this.#address;
  }

  async start(): Promise<void> {
    const { host, port } = this.#settings;
    try {
      this.#address = (await this.#server.listen({ host, port })).replace("http://", "");
    } catch (cause) {
      throw new PipelineError("status.port_in_use", `the status page cannot listen on ${host}:${port}`, {
        cause,
        hint: "Choose another status.port, or 0 for a free one.",
      });
    }
  }

  async stop(): Promise<void> {
    await this.#server.close();
  }
}
