import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { generateKeyPair } from "@sluice/shared/codec/signature.ts";
import { connectAsync } from "mqtt";
import { stringify } from "yaml";
import { root, startServer, waitForPort } from "./process.ts";

/** Something that takes publishes on a port of this machine. */
export interface BenchServer {
  readonly port: number;
  stop(): Promise<void>;
}

export interface BenchGateway extends BenchServer {
  readonly status: string;
  readonly pid: number;
}

export interface GatewayOptions {
  readonly views?: readonly object[];
  readonly payload?: object;
  /** Settings of `ingest` in place of the embedded broker. */
  readonly ingest?: object;
  readonly env?: Readonly<Record<string, string>>;
}

const JSON_PAYLOAD = { format: "json", time: { path: "ts", unit: "us" }, ignore: ["pad"] };

/** A gateway as a user runs it, on free ports and a folder of its own. */
export async function startGateway(options: GatewayOptions = {}): Promise<BenchGateway> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  await writeFile(join(dir, "signing.pub"), generateKeyPair().publicKeyPem);
  const contract = {
    deviceType: "pump",
    metrics: { vibration: { min: 0, max: 100 } },
    unknownMetrics: "accept",
  };
  const settings = {
    gateway: "bench",
    ingest: options.ingest ?? { broker: { port: 0 } },
    buffer: { dir: "data" },
    decode: {
      routes: [
        { topic: "plant/{device}/telemetry", deviceType: "pump", payload: options.payload ?? JSON_PAYLOAD },
      ],
      contracts: [contract],
    },
    features: { views: options.views ?? [] },
    models: { publicKeys: ["signing.pub"] },
    lake: { kind: "folder", path: "lake" },
    status: { port: 0 },
    log: { level: "error" },
  };
  await writeFile(join(dir, "gateway.yaml"), stringify(settings));
  const server = await startServer(
    process.execPath,
    [join(root, "edge/main.ts"), "run", "--json", "--config", join(dir, "gateway.yaml")],
    options.env,
  );
  const ready = JSON.parse(server.line) as { mqtt: string[]; status: string };
  return {
    port: Number(ready.mqtt[0]?.split(":").at(-1)),
    status: ready.status,
    pid: server.child.pid ?? NaN,
    stop: async () => {
      await server.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export interface GatewayNumbers {
  readonly memoryBytes: number;
  readonly buffer: { readonly nextOffset: number; readonly decodedThrough: number };
}

export const statusOf = async ({ status }: BenchGateway): Promise<GatewayNumbers> =>
  (await (await fetch(`http://${status}/status`)).json()) as GatewayNumbers;

/** Waits until everything is decoded and stored, so that nothing of a load is left for the next side's time. */
export async function decodedAll(gateway: BenchGateway): Promise<void> {
  for (;;) {
    const { buffer } = await statusOf(gateway);
    if (buffer.decodedThrough + 1 >= buffer.nextOffset) return;
    await delay(20);
  }
}

export async function startBareAedes(): Promise<BenchServer> {
  const server = await startServer(process.execPath, [join(root, "test/bench/bare-aedes.ts")]);
  return { port: (JSON.parse(server.line) as { port: number }).port, stop: () => server.stop() };
}

async function freePort(): Promise<number> {
  const server = createServer().listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function startProgram(command: string, args: readonly string[], port: number): Promise<BenchServer> {
  const child = spawn(command, args, { stdio: "ignore" });
  await waitForPort(port);
  return {
    port,
    stop: async () => {
      if (child.exitCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

const isInstalled = (command: string): boolean => spawnSync(command, ["-h"]).error === undefined;

/** Undefined where it is not installed. "saving" writes its whole state at every change, as far as it can go. */
export async function startMosquitto(persistence: "none" | "saving"): Promise<BenchServer | undefined> {
  if (!isInstalled("mosquitto")) return undefined;
  const dir = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  const port = await freePort();
  const path = join(dir, "mosquitto.conf");
  const lines = [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "max_inflight_messages 0",
    "max_queued_messages 0",
    ...(persistence === "none"
      ? ["persistence false"]
      : [
          "persistence true",
          `persistence_location ${dir}/`,
          "autosave_interval 1",
          "autosave_on_changes true",
          "user root",
        ]),
  ];
  await writeFile(path, `${lines.join("\n")}\n`);
  const server = await startProgram("mosquitto", ["-c", path], port);
  if (persistence === "saving") await leaveSubscription(port);
  return withFolder(server, dir);
}

/** NATS with JetStream on disk behind its MQTT port; undefined where it is not installed. */
export async function startNats(): Promise<BenchServer | undefined> {
  if (!isInstalled("nats-server")) return undefined;
  const dir = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  const [port, clientPort] = [await freePort(), await freePort()];
  const path = join(dir, "nats.conf");
  await mkdir(join(dir, "store"));
  await writeFile(
    path,
    `server_name: bench\nlisten: "127.0.0.1:${clientPort}"\njetstream { store_dir: "${dir}/store" }\nmqtt { host: "127.0.0.1", port: ${port} }\n`,
  );
  const server = await startProgram("nats-server", ["-c", path], port);
  await leaveSubscription(port);
  return withFolder(server, dir);
}

/** Leaves a persistent session that wants everything: without one a broker has nothing to keep. */
export async function leaveSubscription(port: number): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, {
    clientId: "keeper",
    clean: false,
    protocolVersion: 4,
  });
  await client.subscribeAsync("plant/#", { qos: 1 });
  await client.endAsync();
}

const withFolder = (server: BenchServer, dir: string): BenchServer => ({
  port: server.port,
  stop: async () => {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  },
});

/** The library that slows every fsync of who preloads it; undefined without a C compiler. */
export async function compileSlowSync(dir: string): Promise<string | undefined> {
  const library = join(dir, "slow-sync.so");
  const source = join(root, "test/bench/slow-sync.c");
  const { error, status } = spawnSync("cc", ["-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"]);
  return error === undefined && status === 0 ? library : undefined;
}
