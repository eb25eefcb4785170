import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { createEmbeddedBroker } from "../../../edge/ingest/embedded-broker.ts";
import { ingestSettingsSchema } from "../../../edge/ingest/settings.ts";
import { endClient, sourceSuite } from "../../suites/source.ts";
import { connectMqtt } from "../../suites/source-harness.ts";

sourceSuite("the embedded broker", async (sink, stopDeadlineMs) => {
  const settings = ingestSettingsSchema.parse({ broker: { port: 0 }, stopDeadlineMs });
  const source = createEmbeddedBroker({ settings, sink, clock: systemClock, log: silentLog });
  await source.start();
  const device = await connectMqtt(source.address, { clientId: "device", clean: false });
  return {
    source,
    broker: source.address,
    deliver: async (topic, payload, qos) => {
      await device.publishAsync(topic, Buffer.from(payload), { qos });
    },
    close: async () => {
      await endClient(device);
      await source.stop();
    },
  };
});
