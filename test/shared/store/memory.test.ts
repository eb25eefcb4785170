import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { objectStoreSuite } from "../../suites/object-store.ts";

objectStoreSuite("memory", async () => ({ store: new MemoryStore(), close: async () => undefined }));
