import type { IngestSettings } from "./settings.ts";

/** The same settings with every file's path as `at` resolves it: against the folder of the settings file. */
export function resolveIngestFiles(settings: IngestSettings, at: (file: string) => string): IngestSettings {
  const { broker, client } = settings;
  return {
    ...settings,
    ...(broker === undefined
      ? {}
      : {
          broker: {
            ...withFiles(broker, at),
            ...(broker.tls === undefined ? {} : { tls: withFiles(broker.tls, at) }),
          },
        }),
    ...(client === undefined ? {} : { client: withFiles(client, at) }),
  };
}

/** Settings of files have names that end in File. */
function withFiles<T extends object>(section: T, at: (file: string) => string): T {
  const files = Object.entries(section).flatMap(([name, value]) =>
    name.endsWith("File") && typeof value === "string" ? [[name, at(value)] as const] : [],
  );
  return { ...section, ...Object.fromEntries(files) };
}
