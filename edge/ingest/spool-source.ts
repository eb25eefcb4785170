import { spoolTopic, type SpoolPlace } from "@sluice/shared/contract/spool-topic.ts";
import { describeError, PipelineError } from "@sluice/shared/runtime/errors.ts";
import { Intake } from "./intake.ts";
import type { IngestStats, Source, SourceOptions } from "./source.ts";
import type { SpoolFolder } from "./spool-folder.ts";

/** How often the folder is looked at while it is empty. */
const POLL_MS = 500;

/** Who the messages are from, in the buffer and in quarantine. */
export const SPOOL_CLIENT = "spool";

/**
 * Takes messages from the spool folder, one after the other, and removes each when it is durable.
 *
 * A message whose file is still there after a crash is taken again; decoding knows its place and counts it once. That is
 * why none is taken before the one ahead of it is durable.
 */
export class SpoolSource implements Source {
  readonly name = "spool";
  readonly address: string;
  readonly #options: Omit<SourceOptions, "settings">;
  readonly #folder: SpoolFolder;
  readonly #intake: Intake;
  readonly #halt = new AbortController();
  #running = Promise.resolve();
  #problem: string | undefined;

  constructor(dir: string, folder: SpoolFolder, options: Omit<SourceOptions, "settings">) {
    this.address = dir;
    this.#folder = folder;
    this.#options = options;
    this.#intake = new Intake(options);
  }

  async start(): Promise<void> {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#halt.abort();
    await this.#running;
  }

  /** Nobody listens at a folder. */
  publish(): Promise<void> {
    return Promise.resolve();
  }

  stats(): IngestStats {
    return this.#intake.stats(0, this.#problem);
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#halt.signal.aborted) {
      try {
        for (const place of await this.#folder.list()) {
          if (this.#halt.signal.aborted) return;
          await this.#take(place);
        }
        this.#problem = undefined;
      } catch (error) {
        if (this.#problem === undefined)
          log.warn({ dir: this.address }, `the spool waits: ${describeError(error)}`);
        this.#problem = describeError(error);
      }
      await clock.sleep(POLL_MS, this.#halt.signal);
    }
  }

  /** Undefined where the file is damaged: it is set aside, and does not hold up the others. */
  async #read(place: SpoolPlace): Promise<Uint8Array | undefined> {
    try {
      return await this.#folder.read(place);
    } catch (error) {
      if (!(error instanceof PipelineError) || error.code !== "buffer.damaged") throw error;
      const file = await this.#folder.setAside(place);
      this.#intake.refuse("spool.damaged");
      this.#options.log.error(
        { file },
        `a spooled message is damaged; import or release it again: ${error.message}`,
      );
      return undefined;
    }
  }

  async #take(place: SpoolPlace): Promise<void> {
    const payload = await this.#read(place);
    if (payload === undefined) return;
    const message = {
      client: SPOOL_CLIENT,
      packetId: 0,
      qos: 0,
      dup: false,
      retain: false,
      topic: spoolTopic(place),
      payload,
      receivedAtUs: this.#options.clock.nowUs(),
    } as const;
    await new Promise<void>((resolve, reject) => {
      this.#intake.put(message, (error) => (error === undefined ? resolve() : reject(error)));
    });
    await this.#folder.remove(place); // Durable in the buffer: only now may the file go.
  }
}
