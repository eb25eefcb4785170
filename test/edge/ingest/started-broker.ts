import { type Clock, systemClock } from "@sluice/shared/runtime/clock.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { afterEach } from "vitest";
import { createEmbeddedBroker } from "../../../edge/ingest/embedded-broker.ts";
import { ingestSettingsSchema } from "../../../edge/ingest/settings.ts";
import type { Sink, Source } from "../../../edge/ingest/source.ts";
import { OrderedSink } from "../../suites/source-harness.ts";
import { WireClient } from "./wire-client.ts";
import type { IConnectPacket } from "mqtt-packet";

export interface StartedBroker {
  readonly broker: Source;
  readonly sink: OrderedSink;
  /** Messages that were logged as warnings. */
  readonly warnings: string[];
  readonly refused: () => Readonly<Record<string, number>>;
  /** A client that has its CONNACK; it is closed after the test. */
  readonly open: (options?: Partial<IConnectPacket>) => Promise<WireClient>;
}

/** Starts an embedded broker on a free port; it and its clients are gone after the test. */
export function brokerStarter(): (
  settings?: object,
  ingest?: object,
  parts?: { readonly sink?: Sink; readonly clock?: Clock },
) => Promise<StartedBroker> {
  let cleanUp: (() => unknown)[] = [];
  afterEach(async () => {
    for (const clean of cleanUp.toReversed()) await clean();
    cleanUp = [];
  });
  return async (settings = {}, ingest = {}, parts = {}) => {
    const sink = new OrderedSink();
    const warnings: string[] = [];
    const warn = (_fields: object, message: string): void => void warnings.push(message);
    const log: Log = { debug: () => undefined, info: () => undefined, warn, error: warn };
    const parsed = ingestSettingsSchema.parse({
      broker: { port: 0, ...settings },
      stopDeadlineMs: 50,
      ...ingest,
    });
    const broker = createEmbeddedBroker({ settings: parsed, sink, clock: systemClock, log, ...parts });
    await broker.start();
    cleanUp.push(() => broker.stop());
    return {
      broker,
      sink,
      warnings,
      refused: () => broker.stats().refused,
      open: async (options = {}) => {
        const client = await WireClient.open(broker.address, options);
        cleanUp.push(() => client.destroy());
        return client;
      },
    };
  };
}
