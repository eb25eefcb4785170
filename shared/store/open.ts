import { FolderStore } from "./folder.ts";
import type { ObjectStore } from "./object-store.ts";
import type { StoreDeps } from "./s3.ts";
import type { StoreSettings } from "./settings.ts";

/**
 * The store that the settings name. Nothing is asked of it yet (`probeStore` does), so that a gateway starts while
 * its lake is away.
 */
export async function openStore(settings: StoreSettings, deps: StoreDeps): Promise<ObjectStore> {
  if (settings.kind === "folder") return new FolderStore(settings.path);
  // The S3 client costs tens of megabytes, which a gateway with a folder does not pay.
  const { S3Store } = await import("./s3.ts");
  return new S3Store(settings, deps);
}
