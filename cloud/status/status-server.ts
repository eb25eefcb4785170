import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import { fastify, type FastifyInstance } from "fastify";
import type { CloudStatus } from "./cloud-status.ts";
import { renderPage } from "./page.ts";
import type { StatusSettings } from "./settings.ts";

/** Serves the page at `/`, the same as JSON at `/status`, and `/healthz` (200 or 503 with the reasons). */
export class StatusServer implements Part {
  readonly name = "status page";
  readonly #settings: StatusSettings;
  readonly #server: FastifyInstance;
  #address = "";

  constructor(settings: StatusSettings, snapshot: () => Promise<CloudStatus>) {
    this.#settings = settings;
    this.#server = fastify({ forceCloseConnections: true });
    this.#server.get("/", async (_request, reply) =>
      reply.type("text/html").send(renderPage(await snapshot())),
    );
    this.#server.get("/status", () => snapshot());
    this.#server.get("/healthz", async (_request, reply) => {
      const { healthy, problems } = await snapshot();
      return reply.code(healthy ? 200 : 503).send({ healthy, problems });
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
      throw new PipelineError("status.address_refused", `the page cannot listen on ${host}:${port}`, {
        cause,
        hint: "Give status.host an address of this machine, and a status.port that is free; 0 takes one.",
      });
    }
  }

  async stop(): Promise<void> {
    await this.#server.close();
  }
}
