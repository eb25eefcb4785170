// The thread that reads the settings, checks them and ends.
import { parentPort, workerData } from "node:worker_threads";
import { present } from "@sluice/shared/runtime/assert.ts";
import { writeCompiledCode } from "@sluice/shared/runtime/compiled-code.ts";
import { host } from "./config.ts";
import { toFailure } from "./pipeline-messages.ts";
import { readSettings } from "./settings.ts";
import type { SettingsMessage } from "./settings-thread.ts";

function answer(): SettingsMessage {
  try {
    return { kind: "settings", settings: readSettings(String(workerData), host.environment) };
  } catch (error) {
    return { kind: "failed", failure: toFailure(error) };
  }
}

const message = answer();
writeCompiledCode();
present(parentPort, "settings are checked in a worker thread").postMessage(message);
