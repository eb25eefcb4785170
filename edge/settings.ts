import { dirname, resolve } from "node:path";
import { gatewayIdSchema } from "@sluice/shared/contract/ids.ts";
import { checkContracts } from "@sluice/shared/features/check-contracts.ts";
import { LOG_LEVELS } from "@sluice/shared/runtime/log.ts";
import { readSettingsFile } from "@sluice/shared/runtime/settings-file.ts";
import { sampleYaml } from "@sluice/shared/runtime/settings-sample.ts";
import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import { z } from "zod";
import { bufferSettingsSchema } from "./buffer/settings.ts";
import { decodeSettingsSchema } from "./decode/settings.ts";
import { featuresSettingsSchema } from "./features/settings.ts";
import { inferenceSettingsSchema } from "./inference/settings.ts";
import { resolveIngestFiles } from "./ingest/settings-files.ts";
import { ingestSettingsSchema } from "./ingest/settings.ts";
import { modelsSettingsSchema } from "./models/settings.ts";
import { statusSettingsSchema } from "./status/settings.ts";
import { syncSettingsSchema } from "./sync/settings.ts";

/** Everything that a gateway can be told: one strict schema, each stage's settings under the stage's name. */
export const gatewaySettingsSchema = z
  .strictObject({
    gateway: gatewayIdSchema
      .describe("This gateway's name: part of object keys and topics, never to be given twice.")
      .meta({ examples: ["site-1"] }),
    ingest: ingestSettingsSchema.describe("Where messages come from."),
    buffer: bufferSettingsSchema.describe("Where messages are kept until the lake has them."),
    decode: decodeSettingsSchema.describe("How messages become readings."),
    features: featuresSettingsSchema.prefault({}).describe("What is computed from readings."),
    inference: inferenceSettingsSchema
      .prefault({})
      .describe("How vectors are scored and when an alert is raised."),
    models: modelsSettingsSchema.describe("Which models may be loaded."),
    sync: syncSettingsSchema.prefault({}).describe("How rows go to the lake."),
    lake: storeSettingsSchema.describe("The lake's storage."),
    status: statusSettingsSchema.prefault({}).describe("Where health and metrics are served."),
    log: z
      .strictObject({ level: z.enum(LOG_LEVELS).default("info").describe("The least that is logged.") })
      .prefault({})
      .describe("What is logged, as JSON lines on standard error."),
  })
  .superRefine(({ decode, features }, context) => {
    for (const [place, view] of features.views.entries())
      for (const { path, message } of checkContracts(view, decode.contracts))
        context.addIssue({ code: "custom", path: ["features", "views", place, ...path], message });
  });

export type GatewaySettings = z.infer<typeof gatewaySettingsSchema>;

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads a settings file and resolves its paths against the file's folder. Throws what `readSettingsFile` throws. */
export function readSettings(path: string, environment: Environment): GatewaySettings {
  const settings = readSettingsFile(path, environment, (input) => gatewaySettingsSchema.safeParse(input));
  const at = (file: string): string => resolve(dirname(path), file);
  return {
    ...settings,
    ingest: resolveIngestFiles(settings.ingest, at),
    buffer: {
      ...settings.buffer,
      dir: at(settings.buffer.dir),
      ...(settings.buffer.encryptionKeyFile === undefined
        ? {}
        : { encryptionKeyFile: at(settings.buffer.encryptionKeyFile) }),
    },
    models: { ...settings.models, publicKeys: settings.models.publicKeys.map(at) },
    lake:
      settings.lake.kind === "folder" ? { ...settings.lake, path: at(settings.lake.path) } : settings.lake,
  };
}

/** A commented settings file that lists everything there is. */
export function sampleSettings(): string {
  return sampleYaml(z.toJSONSchema(gatewaySettingsSchema, { io: "input", unrepresentable: "any" }));
}
