import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { S3Store } from "@sluice/shared/store/s3.ts";
import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import { startObjectStore } from "@sluice/simulators/object-store/start.ts";
import { objectStoreSuite } from "../../suites/object-store.ts";

objectStoreSuite("s3 against the simulator", async () => {
  const server = await startObjectStore();
  const { endpoint, bucket, accessKeyId, secretAccessKey } = server;
  const settings = storeSettingsSchema.parse({
    kind: "s3",
    endpoint,
    bucket,
    accessKeyId,
    secretAccessKey,
    prefix: "deep/lake",
  });
  if (settings.kind !== "s3") throw new Error("these are the settings of an S3 store");
  const store = new S3Store(settings, { clock: systemClock, random: seededRandom(1) });
  return {
    store,
    close: async () => {
      store.close();
      await server.stop();
    },
  };
});
