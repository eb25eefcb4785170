import type { OnlineAnswer, OnlineQuery } from "@sluice/shared/contract/online.ts";
import { type Clock, systemClock } from "@sluice/shared/runtime/clock.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Part } from "@sluice/shared/runtime/lifecycle.ts";
import type { GatewayStatus } from "./gateway-status.ts";
import { type Answer, GetServer, jsonAnswer } from "./get-server.ts";
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

/** The newest vectors of a view are under its name. */
const FEATURES = "/features/";

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
  readonly #server = new GetServer((url) => this.#answer(url));
  #address = "";

  constructor(options: StatusServerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** host:port once started. */
  get address(): string {
    return this.#address;
  }

  /** Throws PipelineError "status.port_in_use" or "status.address_refused". */
  async start(): Promise<void> {
    const { host, port } = this.#options.settings;
    this.#address = await this.#server.listen(host, port);
  }

  async stop(): Promise<void> {
    await this.#server.close();
  }

  #answer(url: URL): Promise<Answer> | undefined {
    const answer = this.#pageOf(url);
    return answer?.catch((error: unknown) =>
      jsonAnswer(503, { healthy: false, problems: [describeError(error)] }),
    );
  }

  #pageOf({ pathname, searchParams }: URL): Promise<Answer> | undefined {
    if (pathname === "/status") return this.#snapshot().then((status) => jsonAnswer(200, status));
    if (pathname === "/healthz") return this.#health();
    if (pathname === "/metrics") return this.#metrics();
    return pathname.startsWith(FEATURES)
      ? this.#features(pathname.slice(FEATURES.length), searchParams)
      : undefined;
  }

  async #health(): Promise<Answer> {
    const { healthy, problems } = await this.#snapshot();
    return jsonAnswer(healthy ? 200 : 503, { healthy, problems });
  }

  async #metrics(): Promise<Answer> {
    // Where nobody scrapes, what writes this form takes no memory.
    const { expose } = await import("./exposition.ts");
    return { code: 200, ...(await expose(metricsOf(await this.#snapshot()))) };
  }

  async #features(name: string, query: URLSearchParams): Promise<Answer> {
    const { onlineRequestSchema } = await import("@sluice/shared/contract/online.ts"); // As above.
    const features = query.getAll("feature");
    const { data, error } = onlineRequestSchema.safeParse({
      view: unescaped(name),
      devices: query.getAll("device"),
      ...(features.length === 0 ? {} : { features }),
    });
    if (data === undefined) {
      const message = error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
      const hint = "Ask as in /features/pump_health?device=pump-1&device=pump-2.";
      return jsonAnswer(400, { error: { code: "features.request_invalid", message, hint } });
    }
    try {
      return jsonAnswer(200, await this.#options.online(data));
    } catch (failure) {
      if (!(failure instanceof PipelineError) || !failure.code.startsWith("features.")) throw failure;
      const { code, message, hint } = failure;
      return jsonAnswer(404, { error: { code, message, hint } });
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

/** A part of a URL as it was meant, or as it is where it means nothing. */
function unescaped(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
