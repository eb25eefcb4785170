import { FolderStore } from "./folder.ts";
import type { ObjectStore } from "./object-store.ts";
import type { StoreDeps } from "./s3.ts";
import type { StoreSettings } from "./settings.ts";

/**
 * The store that the settings name. A folder is opened and proved writable; S3 is not asked anything yet
 * (`probeStore` does), so that a gateway without a link can start.
 */
export async function openStore(settings: StoreSettings, deps: StoreDeps): Promise<ObjectStore> {
  if (settings.kind === "folder") return FolderStore.open(settings.path);
  // The S3 client costs tens of megabytes, which a gateway with a folder does not pay.
  const { S3Store } = await import("./s3.ts");
  return new S3Store(settings, deps);
}
