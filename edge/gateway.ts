import { join } from "node:path";
import type { OutgoingMessage } from "@sluice/shared/contract/message.ts";
import type { OnlineAnswer, OnlineQuery } from "@sluice/shared/contract/online.ts";
import { alertTopic, featuresRequestTopic, predictionTopic } from "@sluice/shared/contract/topic.ts";
import type { Clock } from "@sluice/shared/runtime/clock.ts";
import { describeError } from "@sluice/shared/runtime/errors.ts";
import { Lifecycle, type Part } from "@sluice/shared/runtime/lifecycle.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { steadyClock } from "@sluice/shared/runtime/steady-clock.ts";
import { readBodies } from "./buffer/body.ts";
import { GroupCommit } from "./buffer/group-commit.ts";
import { lockBuffer } from "./buffer/lock.ts";
import { host, SOFTWARE_VERSION } from "./config.ts";
import { OnlineClerk } from "./features/online-clerk.ts";
import { SilenceTeller } from "./features/silence-teller.ts";
import type { createBrokerClient } from "./ingest/broker-client.ts";
import { createEmbeddedBroker } from "./ingest/embedded-broker.ts";
import { RequestDesk } from "./ingest/request-desk.ts";
import type { Sink, Source } from "./ingest/source.ts";
import { SPOOL_DIR, SpoolFolder } from "./ingest/spool-folder.ts";
import { SpoolSource } from "./ingest/spool-source.ts";
import { PipelineThread } from "./pipeline-thread.ts";
import type { Announcement } from "./pipeline.ts";
import type { GatewaySettings } from "./settings.ts";
import type { GatewayStatus } from "./status/gateway-status.ts";
import { judgeStatus } from "./status/judge.ts";
import { Meters } from "./status/meters.ts";
import { StatusServer } from "./status/status-server.ts";

/** The longest that a stop may take before it is said who is late. */
const STOP_DEADLINE_MS = 20_000;

const METER_INTERVAL_MS = 1_000;

export interface GatewayOptions {
  readonly settings: GatewaySettings;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once when the gateway cannot go on: the buffer is gone, or a promise of ours is broken. */
  readonly failed: (error: Error) => void;
}

/** The main thread's wiring: sources, the group commit between them and the worker, the status page. */
export class Gateway {
  readonly #options: GatewayOptions;
  readonly #pipeline: PipelineThread;
  readonly #commit: GroupCommit;
  readonly #sources: readonly Source[];
  readonly #clerk: OnlineClerk;
  readonly #silence: SilenceTeller;
  readonly #status: StatusServer;
  readonly #lifecycle: Lifecycle;
  readonly #startedAtUs: number;
  readonly #meters = new Meters();
  /** Sources by which nobody can be told anything at the moment, so that it is said once. */
  readonly #unheard = new Set<Source>();
  #unlock: () => void = () => undefined;

  private constructor(options: GatewayOptions, createClient: typeof createBrokerClient | undefined) {
    const { settings, clock, log } = options;
    this.#options = options;
    this.#startedAtUs = clock.monotonicUs();
    this.#pipeline = new PipelineThread(
      settings,
      {
        announced: (announcement) => this.#publish(announcement),
        failed: options.failed,
        damaged: (error) =>
          log.error(
            { error: describeError(error) },
            "the buffer is damaged: it is opened anew without what is damaged",
          ),
        refusing: (reason) =>
          log.error(
            { reason },
            "new messages are refused, because the disk cannot be written to; it is tried again",
          ),
        resumed: () => log.warn({}, "the disk can be written to again: messages are stored as before"),
      },
      clock,
    );
    this.#commit = new GroupCommit({
      commit: (group) => this.#pipeline.commit(group),
      limits: settings.buffer,
    });
    // Arrivals are stamped in their order, unless the clock was really set back.
    const wiring = { clock: steadyClock(clock, settings.decode.clockStepMinMs), log };
    const { broker } = settings.ingest;
    const bodies = readBodies(settings.buffer.dir, settings.buffer.encryptionKeyFile);
    const spoolDir = join(settings.buffer.dir, SPOOL_DIR);
    const online = (query: OnlineQuery): Promise<OnlineAnswer> => this.#pipeline.online(query);
    this.#clerk = new OnlineClerk(settings.gateway, online);
    this.#silence = new SilenceTeller({
      gateway: settings.gateway,
      clock: wiring.clock,
      sink: this.#commit,
    });
    const answering = {
      ...wiring,
      settings: settings.ingest,
      requestTopic: featuresRequestTopic(settings.gateway),
    };
    this.#sources = [
      ...(broker === undefined
        ? []
        : [this.#answering((sink) => createEmbeddedBroker({ ...answering, sink }))]),
      ...(createClient === undefined
        ? []
        : [this.#answering((sink) => createClient({ ...answering, sink }))]),
      new SpoolSource(spoolDir, new SpoolFolder(spoolDir, bodies), { ...wiring, sink: this.#commit }),
    ];
    this.#status = new StatusServer({
      settings: settings.status,
      snapshot: () => this.snapshot(),
      online,
    });
    // The lake end first: no message arrives before there is somewhere to put it.
    this.#lifecycle = new Lifecycle(
      [this.#lock(), this.#pipeline, this.#meter(), this.#status, ...this.#sources],
      clock,
      log,
    );
  }

  /** A gateway that is not started. What only some settings need is loaded here: megabytes that others do without. */
  static async make(options: GatewayOptions): Promise<Gateway> {
    const loaded =
      options.settings.ingest.client === undefined ? undefined : await import("./ingest/broker-client.ts");
    return new Gateway(options, loaded?.createBrokerClient);
  }

  start(): Promise<void> {
    return this.#lifecycle.start();
  }

  /** Drains what was accepted. Returns the names of the parts that were late. */
  stop(): Promise<readonly string[]> {
    return this.#lifecycle.stop(STOP_DEADLINE_MS);
  }

  /** Where to reach it: MQTT and status, as host:port. */
  addresses(): { readonly mqtt: readonly string[]; readonly status: string } {
    return {
      mqtt: this.#sources
        .filter((source) => !(source instanceof SpoolSource))
        .map((source) => source.address),
      status: this.#status.address,
    };
  }

  async snapshot(): Promise<GatewayStatus> {
    const { settings, clock } = this.#options;
    return judgeStatus({
      identity: {
        gateway: settings.gateway,
        softwareVersion: SOFTWARE_VERSION,
        uptimeS: Math.floor((clock.monotonicUs() - this.#startedAtUs) / 1_000_000),
        memoryBytes: host.memoryBytes(),
      },
      pipeline: await this.#pipeline.snapshot(),
      ingest: this.#sources.map((source) => ({
        name: source.name,
        address: source.address,
        ...source.stats(),
      })),
      online: this.#clerk.counters(),
      commit: this.#commit.stats(),
      rates: this.#meters.rates,
    });
  }

  /**
   * Samples the counters once a second, so that rates look back on a minute however often somebody asks, and lets time
   * pass for silent devices.
   */
  #meter(): Part {
    const { clock } = this.#options;
    const stopping = new AbortController();
    let running = Promise.resolve();
    const run = async (): Promise<void> => {
      while (!stopping.signal.aborted) {
        const snapshot = await this.#pipeline.snapshot();
        this.#meters.sample(snapshot, clock.monotonicUs());
        this.#silence.tell(snapshot.features.idleDueAtUs);
        await clock.sleep(METER_INTERVAL_MS, stopping.signal);
      }
    };
    return {
      name: "meter",
      start: async () => {
        running = run().catch((error: unknown) => {
          if (!stopping.signal.aborted)
            this.#options.failed(error instanceof Error ? error : new Error(String(error)));
        });
      },
      stop: async () => {
        stopping.abort();
        await running;
      },
    };
  }

  /** A source through which questions to the gateway are answered; all else that comes goes to the commit. */
  #answering(create: (sink: Sink) => Source): Source {
    const desk = new RequestDesk(this.#commit, this.#clerk);
    const source = create(desk);
    desk.replyThrough((message) => this.#say(source, message));
    return source;
  }

  #lock(): Part {
    return {
      name: "lock",
      start: async () => {
        this.#unlock = lockBuffer(this.#options.settings.buffer.dir);
      },
      stop: async () => this.#unlock(),
    };
  }

  #publish({ predictions, alerts, requests }: Announcement): void {
    const { settings } = this.#options;
    const spoken = (topic: string, body: object): OutgoingMessage => ({
      topic,
      payload: JSON.stringify(body),
      qos: 1,
      retain: false,
    });
    const messages = [
      ...predictions.map((prediction) =>
        spoken(predictionTopic(settings.gateway, prediction.device), prediction),
      ),
      ...alerts.map((alert) => spoken(alertTopic(settings.gateway, alert.device), alert)),
      ...requests,
    ];
    for (const source of this.#sources) for (const message of messages) this.#say(source, message);
  }

  #say(source: Source, { topic, payload, ...options }: OutgoingMessage): void {
    const { log } = this.#options;
    source.publish(topic, payload, options).then(
      () => this.#unheard.delete(source),
      (error: unknown) => {
        // Predictions are on disk and go to the lake; only what is said here is missing.
        if (!this.#unheard.has(source))
          log.warn({ topic, error: String(error) }, "announcements and answers cannot be published");
        this.#unheard.add(source);
      },
    );
  }
}
