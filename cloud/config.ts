import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { featureViewShape } from "@sluice/shared/contract/feature-view.ts";
import { keyNameSchema } from "@sluice/shared/contract/ids.ts";
import { checkView } from "@sluice/shared/features/check-view.ts";
import { LOG_LEVELS } from "@sluice/shared/runtime/log.ts";
import { readSettingsFile } from "@sluice/shared/runtime/settings-file.ts";
import { sampleYaml } from "@sluice/shared/runtime/settings-sample.ts";
import { storeSettingsSchema } from "@sluice/shared/store/settings.ts";
import { z } from "zod";
import { datasetSettingsSchema } from "./dataset/settings.ts";
import { evaluationSettingsSchema } from "./evaluation/settings.ts";
import { lakeSettingsSchema } from "./lake/settings.ts";
import { statusSettingsSchema } from "./status/settings.ts";
import { trainingSettingsSchema } from "./training/settings.ts";

export const SOFTWARE_VERSION = "0.1.0";

const triggerSettingsSchema = z.strictObject({
  firstRows: z
    .int()
    .min(20)
    .default(500)
    .describe("How many vectors must be in the lake before the first model is trained."),
  newRows: z
    .int()
    .min(0)
    .default(0)
    .describe("Train again when so many vectors have come since the last time; 0: never for that reason."),
  newLabels: z
    .int()
    .min(0)
    .default(1)
    .describe("Train again when so many labels have come since the last time; 0: never for that reason."),
  cooldownMs: z
    .int()
    .min(0)
    .default(60_000)
    .describe(
      "The least time between two trainings of one model, so that a flood of labels costs one training.",
    ),
});
export type TriggerSettings = z.infer<typeof triggerSettingsSchema>;

/** A view that the function library can compute: what the gateways would refuse is refused here. */
export const computableViewSchema = featureViewShape.superRefine((view, context) => {
  for (const { path, message } of checkView(view)) context.addIssue({ code: "custom", path, message });
});

const modelSettingsSchema = z.strictObject({
  name: keyNameSchema.describe("The model's name."),
  view: computableViewSchema.describe("What the model is fed: the same view as in the gateway's settings."),
  dataset: datasetSettingsSchema.prefault({}).describe("Which vectors it is trained on."),
  training: trainingSettingsSchema.prefault({}).describe("How it is trained."),
  evaluation: evaluationSettingsSchema.prefault({}).describe("What it must reach."),
  triggers: triggerSettingsSchema.prefault({}).describe("When it is trained."),
});
export type ModelSettings = z.infer<typeof modelSettingsSchema>;

const SAMPLE_MODEL = {
  name: "pump_health",
  view: {
    name: "pump_health",
    owner: "reliability",
    match: { deviceType: "pump" },
    window: { kind: "hopping", sizeMs: 60_000, hopMs: 10_000 },
    inputs: { vibration: { metric: "vibration_rms_g" }, current: { metric: "current_a" } },
    features: [
      { name: "vibration_mean", fn: "mean", of: "vibration", unit: "g" },
      { name: "vibration_max", fn: "max", of: "vibration", unit: "g" },
      { name: "current_mean", fn: "mean", of: "current", unit: "A" },
    ],
  },
};

/** Everything that the cloud service can be told. */
export const cloudSettingsSchema = z.strictObject({
  lake: storeSettingsSchema.describe("The lake's storage."),
  tables: lakeSettingsSchema.describe("How landing objects become tables."),
  keys: z
    .strictObject({
      privateKey: z
        .string()
        .describe("The file of the key that signs bundles; `sluice-cloud keys` makes it.")
        .meta({ examples: ["keys/signing.key"] }),
      publicKeys: z
        .array(z.string())
        .min(1)
        .describe("Files of the keys that bundles are checked with.")
        .meta({ examples: [["keys/signing.pub"]] }),
    })
    .describe("The keys of the registry."),
  models: z
    .array(modelSettingsSchema)
    .superRefine((models, context) => {
      for (const [i, { name }] of models.entries())
        if (models.findIndex((model) => model.name === name) < i)
          context.addIssue({ code: "custom", path: [i, "name"], message: "is there twice" });
    })
    .default([])
    .describe("The models that are trained.")
    .meta({ examples: [[SAMPLE_MODEL]] }),
  loopIntervalMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(10_000)
    .describe("How often the lake is looked at for new landing objects, labels and gateways."),
  status: statusSettingsSchema.prefault({}).describe("Where the page is served."),
  log: z
    .strictObject({ level: z.enum(LOG_LEVELS).default("info").describe("The least that is logged.") })
    .prefault({})
    .describe("What is logged, as JSON lines on standard error."),
});
export type CloudSettings = z.infer<typeof cloudSettingsSchema>;

/** What only the program's entry may know of its process. */
export const host = {
  argv: process.argv,
  /** The machine and the process, for those who wait for it. */
  name: `${hostname()} (process ${process.pid})`,
  stdout: process.stdout,
  complain: (text: string): void => void process.stderr.write(`${text}\n`),
  /** One line on a terminal that is written over and over; empty: gone. Where nobody looks nothing is written. */
  showProgress: (text: string): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  },
  exit: (code: number): never => process.exit(code),
  /**
   * Ends the process once everything that was printed has been taken: a pipe holds 64 KiB, the rest waits here.
   * Where it cannot be taken, `onReaderGone` has the last word.
   */
  finish: (code: number): Promise<never> =>
    new Promise(() =>
      process.stdout.write("", (error) => {
        if (error === undefined || error === null) process.exit(code);
      }),
    ),
  /** Calls `handle` when nobody reads what is printed any more, as after `| head`. */
  onReaderGone: (handle: (error: Error) => void): void => void process.stdout.on("error", handle),
  onSignal: (handle: (signal: string) => void): void => {
    process.on("SIGINT", handle);
    process.on("SIGTERM", handle);
    // Whoever started us with a channel, as the demo does, is gone.
    process.on("disconnect", () => handle("disconnect"));
  },
};

/** Reads a settings file and resolves its paths against the file's folder. Throws what `readSettingsFile` throws. */
export function readSettings(path: string): CloudSettings {
  const settings = readSettingsFile(path, process.env, (input) => cloudSettingsSchema.safeParse(input));
  const at = (file: string): string => resolve(dirname(path), file);
  return {
    ...settings,
    lake:
      settings.lake.kind === "folder" ? { ...settings.lake, path: at(settings.lake.path) } : settings.lake,
    tables: { ...settings.tables, cacheDir: at(settings.tables.cacheDir) },
    keys: { privateKey: at(settings.keys.privateKey), publicKeys: settings.keys.publicKeys.map(at) },
  };
}

/** A commented settings file that lists everything there is. */
export function sampleSettings(): string {
  return sampleYaml(z.toJSONSchema(cloudSettingsSchema, { io: "input", unrepresentable: "any" }));
}
