import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { fromFailure, type Failure } from "./pipeline-messages.ts";
import type { GatewaySettings } from "./settings.ts";

/** What the thread answers. */
export type SettingsMessage =
  | { readonly kind: "settings"; readonly settings: GatewaySettings }
  | { readonly kind: "failed"; readonly failure: Failure };

/**
 * Reads and checks a settings file in a thread of its own, which takes the schemas and the reader of YAML with it when
 * it ends: they are megabytes, and a gateway reads its settings once. Throws what `readSettings` throws.
 */
export async function checkSettings(path: string): Promise<GatewaySettings> {
  const worker = new Worker(new URL("./settings-worker.ts", import.meta.url), { workerData: path });
  const [message]: SettingsMessage[] = await once(worker, "message");
  await worker.terminate();
  if (message?.kind === "settings") return message.settings;
  throw message === undefined ? new Error("the thread said nothing") : fromFailure(message.failure);
}
