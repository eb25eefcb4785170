import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Lake } from "../../cloud/lake/lake.ts";
import { lakeSettingsSchema } from "../../cloud/lake/settings.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { encodeLanding } from "@sluice/shared/codec/landing.ts";
import { landingKey, SHA256_METADATA } from "@sluice/shared/contract/lake-key.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { newUuid } from "@sluice/shared/runtime/random.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import { readings } from "./readings.ts";
import { type BenchLine, count } from "./line.ts";

const OBJECTS = 50;
const ROWS = 20_000;

/** A million readings from landing objects into a Delta table, in memory, so that the code is measured and no disk. */
export async function benchLake(say: (text: string) => void): Promise<readonly BenchLine[]> {
  say("landing to table");
  const store = new MemoryStore();
  const epoch = newUuid();
  for (let i = 0; i < OBJECTS; i++) {
    const from = i * ROWS;
    const body = encodeLanding("readings", [readings(ROWS, from)]);
    const key = landingKey({ stream: "readings", gateway: "bench", epoch, from, to: from + ROWS - 1 });
    await store.put(key, body, { metadata: { [SHA256_METADATA]: sha256Hex(body) } });
  }
  const cacheDir = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  try {
    const lake = await Lake.open({
      store,
      settings: lakeSettingsSchema.parse({ cacheDir }),
      clock: systemClock,
      log: silentLog,
    });
    const startedAt = performance.now();
    const { rows } = await lake.commitLanding();
    const perSecond = rows / ((performance.now() - startedAt) / 1_000);
    const table = (await lake.tables()).find(({ name }) => name === "readings");
    const bytes = (table?.bytes ?? NaN) / (table?.rows ?? NaN);
    await lake.close();
    return [
      {
        what: `landing to table, ${OBJECTS} objects of ${count(ROWS)} readings`,
        measured: `${count(perSecond)} rows/s`,
        reference: "one process",
        value: perSecond,
        mark: "1,000,000 rows/s",
        reached: perSecond >= 1_000_000,
      },
      {
        what: "table file",
        measured: `${bytes.toFixed(2)} bytes/reading`,
        reference: "",
        value: bytes,
        mark: "5 or less",
        reached: bytes <= 5,
      },
    ];
  } finally {
    await rm(cacheDir, { recursive: true, force: true });
  }
}
