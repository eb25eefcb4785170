import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { createBrokerClient } from "../../../edge/ingest/broker-client.ts";
import { ingestSettingsSchema } from "../../../edge/ingest/settings.ts";
import { endClient, sourceSuite } from "../../suites/source.ts";
import { connectMqtt } from "../../suites/source-harness.ts";
import { openUpstream } from "./upstream.ts";

sourceSuite("a client of an existing broker", async (sink, stopDeadlineMs) => {
  const upstream = await openUpstream();
  const client = {
    url: `mqtt://${upstream.address}`,
    topics: ["plant/#"],
    clientId: "gateway",
    protocolVersion: 4,
    reconnectBaseMs: 10,
  };
  const settings = ingestSettingsSchema.parse({ client, stopDeadlineMs });
  const source = createBrokerClient({ settings, sink, clock: systemClock, log: silentLog });
  await source.start();
  const device = await connectMqtt(upstream.address, { clientId: "device" });
  return {
    source,
    broker: upstream.address,
    deliver: async (topic, payload, qos) => {
      const acknowledged = upstream.acknowledged(topic, payload);
      await device.publishAsync(topic, Buffer.from(payload), { qos });
      await acknowledged;
    },
    close: async () => {
      await endClient(device);
      await source.stop();
      await upstream.close();
    },
  };
});
