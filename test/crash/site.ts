import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GatewayStatus } from "@sluice/edge/status/gateway-status.ts";
import { generateKeyPair } from "@sluice/shared/codec/signature.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import type { RunningObjectStore } from "@sluice/simulators/object-store/start.ts";
import type { Device } from "./device.ts";
import { Machine, type Orders } from "./machine.ts";
import { CLOUD, command, GATEWAY, givePort, Program, until } from "./programs.ts";

export type Section = Readonly<Record<string, unknown>>;

export const GATEWAY_ID = "crash";

const VIEW = {
  name: "seconds",
  owner: "crash",
  match: { deviceType: "pump" },
  window: { kind: "tumbling", sizeMs: 1_000, allowedLatenessMs: 0, correctionMs: 10_000 },
  inputs: { n: { metric: "n" } },
  features: [
    { name: "n_mean", fn: "mean", of: "n" },
    { name: "n_max", fn: "max", of: "n" },
  ],
};

/** What the lake has of one device. */
export interface Found {
  readonly rows: number;
  readonly missing: readonly number[];
  readonly doubled: readonly number[];
}

export interface SiteOptions {
  /** Settings that are otherwise, by section; merged into the usual ones. */
  readonly change?: Readonly<Record<string, Section>>;
  readonly store?: RunningObjectStore;
}

/** A folder with a failing machine, a gateway's settings and a lake. */
export class Site {
  readonly dir: string;
  /** Undefined where there is no C compiler: then nothing can be ordered. */
  readonly machine: Machine | undefined;
  readonly mqtt: string;
  readonly gatewayFile: string;
  readonly keys = generateKeyPair();
  readonly #status: string;
  readonly #cloudFile: string;
  #isMounted = false;

  private constructor(dir: string, ports: { readonly mqtt: number; readonly status: number }) {
    this.dir = dir;
    this.machine = Machine.make(dir);
    this.mqtt = `127.0.0.1:${ports.mqtt}`;
    this.#status = `127.0.0.1:${ports.status}`;
    this.gatewayFile = join(dir, "gateway.yaml");
    this.#cloudFile = join(dir, "cloud.yaml");
  }

  static async make({ change = {}, store }: SiteOptions): Promise<Site> {
    const ports = { mqtt: await givePort(), status: await givePort() };
    const site = new Site(mkdtempSync(join(tmpdir(), "sluice-crash-")), ports);
    mkdirSync(site.disk, { recursive: true });
    writeFileSync(join(site.dir, "signing.pub"), site.keys.publicKeyPem);
    writeFileSync(join(site.dir, "signing.key"), site.keys.privateKeyPem);
    const lake = store === undefined ? { kind: "folder", path: "lake" } : s3Lake(store);
    const usual: Readonly<Record<string, Section>> = {
      ingest: { broker: { port: ports.mqtt } },
      buffer: { dir: "disk/buffer", segmentBytesMax: 262_144 },
      decode: {
        routes: [
          {
            topic: "plant/{device}/telemetry",
            deviceType: "pump",
            payload: { format: "json", time: { path: "ts", unit: "ms" }, metrics: { n: "n" } },
          },
        ],
      },
      features: { views: [VIEW] },
      models: {
        publicKeys: ["signing.pub"],
        pollIntervalMs: 100,
        reportIntervalMs: 500,
        backoffMaxMs: 1_000,
      },
      sync: { batchAgeMs: 200, pollMs: 50, retryBaseMs: 20, retryMaxMs: 200 },
      lake,
      status: { port: ports.status },
      log: { level: "warn" },
    };
    const settings = Object.fromEntries(
      Object.entries({ ...usual, ...change }).map(([name, section]) => [
        name,
        { ...usual[name], ...section },
      ]),
    );
    writeFileSync(site.gatewayFile, JSON.stringify({ gateway: GATEWAY_ID, ...settings }));
    const cloud = {
      lake,
      tables: { cacheDir: "cache", commitIntervalMs: 200, leaseMs: 5_000 },
      models: [{ name: "seconds", view: VIEW, triggers: { firstRows: 1_000_000, newLabels: 0 } }],
      keys: { privateKey: "signing.key", publicKeys: ["signing.pub"] },
      status: { port: 0 },
    };
    writeFileSync(site.#cloudFile, JSON.stringify(cloud));
    return site;
  }

  get disk(): string {
    return join(this.dir, "disk");
  }

  get buffer(): string {
    return join(this.disk, "buffer");
  }

  start(orders: Orders = {}, script: string = GATEWAY): Program {
    return Program.node(script, ["run", "--config", this.gatewayFile, "--json"], this.machine?.env(orders));
  }

  async getStatus(): Promise<GatewayStatus> {
    const response = await fetch(`http://${this.#status}/status`);
    return (await response.json()) as GatewayStatus;
  }

  /** Waits until everything that was stored is decoded and in the lake. */
  async drained(gateway: Program): Promise<GatewayStatus> {
    let status = await this.getStatus();
    await until(
      "everything is in the lake",
      async () => {
        if (gateway.end !== undefined) throw new Error(`the gateway ended: ${gateway.printed.stderr}`);
        status = await this.getStatus();
        const { buffer, sync } = status;
        const isDecoded = buffer.decodedThrough + 1 === buffer.nextOffset;
        return isDecoded && sync.pendingRows === 0 && buffer.outbox.batches === 0;
      },
      { evidence: () => `${JSON.stringify(status)}\n${gateway.printed.stderr}` },
    );
    return status;
  }

  async commit(): Promise<void> {
    await command(CLOUD, ["commit", "--wait", "--config", this.#cloudFile]);
  }

  async ask(query: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return JSON.parse(await command(CLOUD, ["sql", query, "--config", this.#cloudFile, "--format", "json"]));
  }

  /** Commits what has landed and looks for each reading that the devices published. */
  async count(devices: readonly Device[]): Promise<ReadonlyMap<string, Found>> {
    await this.commit();
    const numbers = await this.ask(
      "select device, value::bigint as n, count(*)::int as copies from readings where metric = 'n' group by all",
    );
    const copies = new Map<string, Map<number, number>>();
    for (const row of numbers) {
      const device = String(row["device"]);
      if (!copies.has(device)) copies.set(device, new Map());
      copies.get(device)?.set(Number(row["n"]), Number(row["copies"]));
    }
    return new Map(devices.map((device) => [device.name, found(device, copies.get(device.name))]));
  }

  /** Makes the machine's disk a file system of its own of that size. Needs the right to mount. */
  mountDisk(bytes: number): void {
    mount(this.disk, `size=${bytes}`);
    this.#isMounted = true;
  }

  /** Changes the file system that was mounted: its size, or whether it can be written to. */
  remountDisk(change: "ro" | "rw" | { readonly bytes: number }): void {
    mount(this.disk, `remount,${typeof change === "string" ? change : `size=${change.bytes}`}`);
  }

  /** Lets go of the file system; what is on it is kept beside it where it is wanted. */
  unmountDisk(isKept: boolean): void {
    if (!this.#isMounted) return;
    if (isKept) cpSync(this.disk, join(this.dir, "disk-kept"), { recursive: true });
    spawnSync("umount", ["-l", this.disk]);
    this.#isMounted = false;
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function found(device: Device, copies: ReadonlyMap<number, number> = new Map()): Found {
  return {
    rows: [...copies.values()].reduce((sum, count) => sum + count, 0),
    missing: [...device.acknowledged].filter((n) => !copies.has(n)),
    doubled: [...copies].flatMap(([n, count]) => (count > 1 ? [n] : [])),
  };
}

const s3Lake = ({ endpoint, bucket, accessKeyId, secretAccessKey }: RunningObjectStore): Section => ({
  kind: "s3",
  endpoint,
  bucket,
  accessKeyId,
  secretAccessKey,
  attemptsMax: 2,
  retryBaseMs: 10,
  retryMaxMs: 50,
});

function mount(path: string, options: string): void {
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
  if (status !== 0) throw new Error(`cannot mount at ${path}: ${stderr.toString()}`);
}

/** A full second, so far back that no reading of a trial lies in the future. */
export const startMs = (): number => Math.floor(systemClock.nowUs() / 1_000_000) * 1_000 - 3_600_000;
