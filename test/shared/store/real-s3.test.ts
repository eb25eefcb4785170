// Against a real S3 server, which the environment names; .ci/ceph-up.sh starts one and writes these variables.
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { newUuid, seededRandom } from "@sluice/shared/runtime/random.ts";
import { S3Store } from "@sluice/shared/store/s3.ts";
import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import { objectStoreSuite, type OpenedStore } from "../../suites/object-store.ts";

const endpoint = process.env["SLUICE_TEST_S3_ENDPOINT"];

if (endpoint === undefined)
  console.warn("SKIPPED: no real S3 server was tested: set SLUICE_TEST_S3_ENDPOINT (see .ci/ceph-up.sh)");

objectStoreSuite("a real S3 server", open, endpoint === undefined);

async function open(): Promise<OpenedStore> {
  const settings = storeSettingsSchema.parse({
    kind: "s3",
    endpoint,
    region: process.env["SLUICE_TEST_S3_REGION"],
    bucket: process.env["SLUICE_TEST_S3_BUCKET"],
    accessKeyId: process.env["SLUICE_TEST_S3_ACCESS_KEY_ID"],
    secretAccessKey: process.env["SLUICE_TEST_S3_SECRET_ACCESS_KEY"],
    prefix: `suite-${newUuid()}`,
  });
  if (settings.kind !== "s3") throw new Error("these are the settings of an S3 store");
  const store = new S3Store(settings, { clock: systemClock, random: seededRandom(1) });
  return { store, close: async () => store.close() };
}
