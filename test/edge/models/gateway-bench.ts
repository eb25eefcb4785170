import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceStage } from "@sluice/edge/inference/inference-stage.ts";
import { inferenceSettingsSchema } from "@sluice/edge/inference/settings.ts";
import { ModelSync } from "@sluice/edge/models/model-sync.ts";
import { modelsSettingsSchema } from "@sluice/edge/models/settings.ts";
import { type BundleFiles, encodeBundle } from "@sluice/shared/codec/bundle-codec.ts";
import { generateKeyPair, signManifest } from "@sluice/shared/codec/signature.ts";
import { BUNDLE_FILES, type Bundle } from "@sluice/shared/contract/bundle.ts";
import {
  type DesiredState,
  type ModelVersion,
  type ReportedState,
  reportedStateSchema,
} from "@sluice/shared/contract/fleet.ts";
import { desiredKey, reportedKey, versionPrefix } from "@sluice/shared/contract/lake-key.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import type { Log } from "@sluice/shared/runtime/log.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { MemoryStore } from "@sluice/shared/store/memory.ts";
import type { GetOptions, GetResult, PutOptions } from "@sluice/shared/store/object-store.ts";
import { onTestFinished } from "vitest";
import { sampleBundle } from "../../shared/model/sample-bundle.ts";
import { TurnClock } from "./turn-clock.ts";

export const GATEWAY = "gw-1";
export const keys = generateKeyPair();
export const model = "pump-health";
export const v1 = sampleBundle({ version: 1, seed: 1 });
export const v2 = sampleBundle({ version: 2, seed: 2 });
export const v3 = sampleBundle({ version: 3, seed: 3 });

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A memory store whose line can be cut, and whose objects can be damaged on their way down. */
export class UnreliableStore extends MemoryStore {
  /** The code that every request fails with; undefined while the line holds. */
  failure: string | undefined;
  /** Keys that are read damaged, and how often still. */
  readonly damage = new Map<string, number>();
  readonly reads: string[] = [];
  readonly writes: string[] = [];

  override async put(key: string, body: Uint8Array, options?: PutOptions): Promise<"created" | "exists"> {
    this.#requireLine(key);
    this.writes.push(key);
    return super.put(key, body, options);
  }

  override async get(key: string, options?: GetOptions): Promise<GetResult> {
    this.#requireLine(key);
    this.reads.push(key);
    const result = await super.get(key, options);
    const left = this.damage.get(key) ?? 0;
    if (left === 0 || result.state !== "found") return result;
    this.damage.set(key, left - 1);
    return { ...result, object: { ...result.object, body: result.object.body.subarray(0, -3) } };
  }

  override async head(key: string): ReturnType<MemoryStore["head"]> {
    this.#requireLine(key);
    return super.head(key);
  }

  #requireLine(key: string): void {
    if (this.failure !== undefined) throw new PipelineError(this.failure, `no line for ${key}`);
  }
}

/** The lines that a part logged at warn and error. */
class Complaints implements Log {
  readonly lines: string[] = [];
  debug(): void {}
  info(): void {}
  warn(_fields: object, message: string): void {
    this.lines.push(`warn: ${message}`);
  }
  error(_fields: object, message: string): void {
    this.lines.push(`error: ${message}`);
  }
}

const inferenceSettings = inferenceSettingsSchema.parse({});

/**
 * A gateway's models with a lake, a disk and a slot of its own; each `start` is a new process over the same two.
 * Stopped and removed when its test ends.
 */
export class GatewayBench {
  readonly store: UnreliableStore;
  readonly dir: string;
  readonly clock = new TurnClock(1_700_000_000_000_000);
  complaints = new Complaints();
  stage = new InferenceStage({ settings: inferenceSettings, gateway: GATEWAY });
  sync: ModelSync | undefined;
  readonly swaps: (ModelVersion | undefined)[] = [];
  #revision = 0;

  private constructor(dir: string, store: UnreliableStore) {
    this.dir = dir;
    this.store = store;
  }

  static async make(store = new UnreliableStore()): Promise<GatewayBench> {
    const bench = new GatewayBench(await mkdtemp(join(tmpdir(), "sluice-models-")), store);
    onTestFinished(async () => {
      await bench.sync?.stop();
      await rm(bench.dir, { recursive: true, force: true });
    });
    return bench;
  }

  /** A gateway that runs version 1 and has said so. */
  static async runningFirst(): Promise<GatewayBench> {
    const bench = await GatewayBench.make();
    await bench.publish(v1);
    await bench.desire({ model, version: 1 });
    await bench.start();
    return bench;
  }

  /** Starts a new process, after the old one where there was one, and lets it make its first turn. */
  async start(change: Partial<ConstructorParameters<typeof ModelSync>[0]> = {}): Promise<ModelSync> {
    await this.sync?.stop();
    this.complaints = new Complaints();
    this.stage = new InferenceStage({ settings: inferenceSettings, gateway: GATEWAY });
    this.sync = new ModelSync({
      store: this.store,
      dir: join(this.dir, "models"),
      gateway: GATEWAY,
      publicKeys: [keys.publicKeyPem],
      slot: {
        current: () => this.running(),
        swap: (bundle) => {
          this.stage.swap(bundle);
          this.swaps.push(this.running());
        },
      },
      report: () => ({
        epoch: "0b7e9f4e-6a68-4f6e-9d3c-0a8f5f3b6c11",
        softwareVersion: "0.1.0",
        viewHashes: [],
        counters: { scored: 12 },
      }),
      clock: this.clock,
      random: seededRandom(1),
      log: this.complaints,
      settings: modelsSettingsSchema.parse({ publicKeys: ["unused"] }),
      ...change,
    });
    await this.sync.start();
    await this.clock.asleep();
    return this.sync;
  }

  running(): ModelVersion | undefined {
    const slot = this.stage.slot();
    return slot.state === "ready" ? slot.model : undefined;
  }

  /** Puts the three objects of a bundle under its number, or under another one. */
  async publish(
    bundle: Bundle,
    files: Partial<BundleFiles> = {},
    at: Partial<ModelVersion> = {},
  ): Promise<void> {
    const { model, version } = { ...bundle.manifest, ...at };
    const sealed = { ...encodeBundle(bundle, signManifest(bundle.manifest, keys.privateKeyPem)), ...files };
    for (const name of ["weights", "signature", "manifest"] as const)
      await this.store.put(`${versionPrefix(model, version)}${BUNDLE_FILES[name]}`, sealed[name]);
  }

  async desire(champion: ModelVersion | undefined, change: Partial<DesiredState> = {}): Promise<number> {
    this.#revision++;
    const state: DesiredState = {
      formatVersion: 1,
      gateway: GATEWAY,
      revision: this.#revision,
      ...(champion === undefined ? {} : { champion }),
      updatedAtUs: this.clock.nowUs(),
      reason: "a test",
      ...change,
    };
    await this.store.put(desiredKey(GATEWAY), new TextEncoder().encode(JSON.stringify(state)));
    return this.#revision;
  }

  async reported(): Promise<ReportedState> {
    const result = await this.store.get(reportedKey(GATEWAY));
    if (result.state !== "found") throw new Error("nothing was reported");
    return reportedStateSchema.parse(JSON.parse(new TextDecoder().decode(result.object.body)));
  }

  /** The names of the folders and temporary files beside the pointer. */
  async stored(): Promise<string[]> {
    const names = await readdir(join(this.dir, "models"));
    return names.filter((name) => name !== "models.json").sort();
  }
}
