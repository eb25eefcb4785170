import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DeltaLog } from "@sluice/cloud/lake/delta-log.ts";
import { schemaString } from "@sluice/cloud/lake/delta-schema.ts";
import { SqlEngine } from "@sluice/cloud/lake/sql.ts";
import { writeKeyPair } from "@sluice/cloud/registry/keys.ts";
import { sha256Hex } from "@sluice/shared/codec/hash.ts";
import { tablePrefix } from "@sluice/shared/contract/lake-key.ts";
import type { Stream } from "@sluice/shared/contract/stream.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { newUuid, seededRandom } from "@sluice/shared/runtime/random.ts";
import type { ObjectStore } from "@sluice/shared/store/object-store.ts";
import { openStore } from "@sluice/shared/store/open.ts";

/** What SQL may take beside what is measured. */
const ENGINE_MIB = 2_048;

type Duck = Awaited<ReturnType<SqlEngine["connect"]>>;

export const DAY_US = 86_400_000_000;

/** A lake in a folder whose tables are filled by SQL: landing millions of rows would take longer than the measurement. */
export class LakeFolder {
  readonly dir: string;
  readonly store: ObjectStore;
  readonly duck: Duck;
  /** The settings file of a cloud service over it. */
  readonly config: string;
  readonly #close: () => void;

  static async open(): Promise<LakeFolder> {
    const dir = await mkdtemp(join(tmpdir(), "sluice-bench-"));
    await mkdir(join(dir, "lake"));
    await writeKeyPair(dir);
    const config = join(dir, "cloud.yaml");
    const settings = {
      lake: { kind: "folder", path: "lake" },
      tables: { cacheDir: "cache" },
      keys: { privateKey: "signing.key", publicKeys: ["signing.pub"] },
      status: { port: 0 },
    };
    await writeFile(config, JSON.stringify(settings));
    const store = await openStore(
      { kind: "folder", path: join(dir, "lake") },
      { clock: systemClock, random: seededRandom(1) },
    );
    const engine = await SqlEngine.open({
      filesDir: dir,
      spillDir: join(dir, "spill"),
      workDir: dir,
      memoryLimitMb: ENGINE_MIB,
    });
    return new LakeFolder({ dir, store, duck: await engine.connect(), config, close: () => engine.close() });
  }

  private constructor(parts: {
    readonly dir: string;
    readonly store: ObjectStore;
    readonly duck: Duck;
    readonly config: string;
    readonly close: () => void;
  }) {
    this.dir = parts.dir;
    this.store = parts.store;
    this.duck = parts.duck;
    this.config = parts.config;
    this.#close = parts.close;
  }

  /** Commits one file per day: the answer of `select(day)` for the days from 0 on, in the columns of the table. */
  async fill(
    stream: Stream,
    { firstDayUs, days }: { readonly firstDayUs: number; readonly days: number },
    select: (day: number) => string,
  ): Promise<void> {
    const adds = [];
    for (let day = 0; day < days; day++) {
      const file = join(this.dir, "rows.parquet");
      await this.duck.run(`COPY (${select(day)}) TO '${file}' (FORMAT parquet, COMPRESSION zstd)`);
      const body = await readFile(file);
      const date = new Date((firstDayUs + day * DAY_US) / 1_000).toISOString().slice(0, 10);
      const path = `date=${date}/part-${sha256Hex(body)}.parquet`;
      await this.store.put(`${tablePrefix(stream)}${path}`, body, { ifAbsent: true });
      const facts = { size: body.byteLength, modificationTime: 0, dataChange: true };
      adds.push({ add: { path, partitionValues: { date }, ...facts } });
    }
    await new DeltaLog(this.store, tablePrefix(stream)).append({
      actions: adds,
      commitInfo: {
        timestamp: 0,
        operation: "WRITE",
        operationParameters: {},
        isBlindAppend: true,
        engineInfo: "bench",
        txnId: newUuid(),
      },
      metaData: {
        id: newUuid(),
        name: stream,
        format: { provider: "parquet", options: {} },
        schemaString: schemaString(stream),
        partitionColumns: ["date"],
        configuration: {},
        createdTime: 0,
      },
      expected: new Map(),
      checkSchema: () => undefined,
    });
  }

  async close(): Promise<void> {
    this.#close();
    await rm(this.dir, { recursive: true });
  }
}
