import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FolderStore } from "@sluice/shared/store/folder.ts";
import { objectStoreSuite } from "../../suites/object-store.ts";

objectStoreSuite("folder", async () => {
  const dir = await mkdtemp(join(tmpdir(), "sluice-store-"));
  return {
    store: new FolderStore(join(dir, "lake")),
    close: () => rm(dir, { recursive: true }),
  };
});
