import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { generateKeyPair } from "@sluice/shared/codec/signature.ts";
import { stringify } from "yaml";
import { type BenchLine, count, interleave } from "./line.ts";
import { root, runJson, startServer, waitForPort } from "./process.ts";

const ROUNDS = 3;
const SECONDS = 3;

const load = (port: number, connections: number, window: number): Promise<Record<string, number>> =>
  runJson([
    join(root, "test/bench/publish-load.ts"),
    ...["--port", String(port), "--connections", String(connections)],
    ...["--window", String(window), "--seconds", String(SECONDS)],
  ]);

const VIEW = {
  name: "bench",
  owner: "bench",
  match: { deviceType: "pump" },
  window: { kind: "hopping", sizeMs: 10_000, hopMs: 1_000 },
  inputs: { a: { metric: "vibration" }, b: { metric: "current" } },
  features: ["mean", "std", "min", "max", "rms"].flatMap((fn) => [
    { name: `a_${fn}`, fn, of: "a" },
    { name: `b_${fn}`, fn, of: "b" },
  ]),
};

/** A gateway as a user runs it, on free ports and a folder of its own. */
async function startGateway(dir: string, views: readonly object[]) {
  await writeFile(join(dir, "signing.pub"), generateKeyPair().publicKeyPem);
  const settings = {
    gateway: "bench",
    ingest: { broker: { port: 0 } },
    buffer: { dir: "data" },
    decode: {
      routes: [
        {
          topic: "plant/{device}/telemetry",
          deviceType: "pump",
          payload: { format: "json", time: { path: "ts", unit: "ms" }, ignore: ["pad"] },
        },
      ],
      contracts: [
        {
          deviceType: "pump",
          metrics: { vibration: { unit: "g", min: 0, max: 100 } },
          unknownMetrics: "accept",
        },
      ],
    },
    features: { views },
    models: { publicKeys: ["signing.pub"] },
    lake: { kind: "folder", path: "lake" },
    status: { port: 0 },
    log: { level: "error" },
  };
  await writeFile(join(dir, "gateway.yaml"), stringify(settings));
  const server = await startServer(process.execPath, [
    join(root, "edge/main.ts"),
    "run",
    "--json",
    "--config",
    join(dir, "gateway.yaml"),
  ]);
  const ready = JSON.parse(server.line) as { mqtt: string[]; status: string };
  return { ...server, port: Number(ready.mqtt[0]?.split(":").at(-1)), status: ready.status };
}

interface Status {
  readonly memoryBytes: number;
  readonly buffer: { readonly nextOffset: number; readonly decodedThrough: number };
}

const statusOf = async (address: string): Promise<Status> =>
  (await (await fetch(`http://${address}/status`)).json()) as Status;

/** Waits until everything is decoded and stored, so that what a load leaves to do is not done at the next side's cost. */
async function worked(address: string): Promise<void> {
  for (;;) {
    const { buffer } = await statusOf(address);
    if (buffer.decodedThrough + 1 >= buffer.nextOffset) return;
    await delay(20);
  }
}

/** Acknowledged-after-fsync against brokers that promise nothing, in one interleaved run. */
export async function benchIngest(say: (text: string) => void): Promise<readonly BenchLine[]> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  const featured = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  const plain = await startGateway(dir, []);
  const scoring = await startGateway(featured, [VIEW]);
  const bare = await startServer(process.execPath, [join(root, "test/bench/bare-aedes.ts")]);
  const mosquitto = await startMosquitto(dir);
  try {
    const barePort = (JSON.parse(bare.line) as { port: number }).port;
    say("4 connections with a window of 1,000");
    const perSecond = (port: number, connections: number, window: number) => async () =>
      (await load(port, connections, window))["perSecond"] ?? NaN;
    const gatewayPerSecond =
      (gateway: { port: number; status: string }, connections: number, window: number) => async () => {
        const rate = await perSecond(gateway.port, connections, window)();
        await worked(gateway.status);
        return rate;
      };
    const [ours = NaN, withFeatures = NaN, aedes = NaN, volatile = NaN] = await interleave(ROUNDS, [
      gatewayPerSecond(plain, 4, 1_000),
      gatewayPerSecond(scoring, 4, 1_000),
      perSecond(barePort, 4, 1_000),
      ...(mosquitto === undefined ? [] : [perSecond(mosquitto.port, 4, 1_000)]),
    ]);
    say("500 connections that each wait");
    const [waiting = NaN, waitingBare = NaN] = await interleave(ROUNDS, [
      gatewayPerSecond(plain, 500, 1),
      perSecond(barePort, 500, 1),
    ]);
    const memoryMb = (await statusOf(plain.status)).memoryBytes / 1_048_576;
    const ratio = (
      what: string,
      value: number,
      reference: { name: string; value: number; mark: number },
    ): BenchLine => ({
      what,
      measured: `${count(value)} /s`,
      reference: `${count(reference.value)} /s ${reference.name}`,
      value: value / reference.value,
      mark: `at least ${reference.mark}`,
      reached: value / reference.value >= reference.mark,
    });
    return [
      ratio("QoS 1, 256 bytes, acknowledged after fsync, decoded, stored", ours, {
        name: "bare aedes",
        value: aedes,
        mark: 0.6,
      }),
      ...(mosquitto === undefined
        ? [missing("the same against mosquitto without persistence", "mosquitto is not installed")]
        : [ratio("the same", ours, { name: "mosquitto without persistence", value: volatile, mark: 1 })]),
      ratio("500 connections that each wait for their acknowledgement", waiting, {
        name: "bare aedes",
        value: waitingBare,
        mark: 0.8,
      }),
      ratio("with 10 features over hopping windows", withFeatures, {
        name: "the first line",
        value: ours,
        mark: 0.6,
      }),
      {
        what: "gateway memory after the load",
        measured: `${memoryMb.toFixed(0)} MiB`,
        reference: "resident",
        value: memoryMb,
        mark: "150 MiB or less",
        reached: memoryMb <= 150,
      },
    ];
  } finally {
    await Promise.all([plain.stop(), scoring.stop(), bare.stop(), mosquitto?.stop()]);
    await rm(dir, { recursive: true, force: true });
    await rm(featured, { recursive: true, force: true });
  }
}

const missing = (what: string, why: string): BenchLine => ({
  what,
  measured: why,
  reference: "",
  value: NaN,
  mark: "at least 1",
  reached: undefined,
});

async function startMosquitto(dir: string) {
  if (spawnSync("mosquitto", ["-h"]).error !== undefined) return undefined;
  const port = 20_000 + (process.pid % 20_000);
  const path = join(dir, "mosquitto.conf");
  await writeFile(
    path,
    `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_inflight_messages 0\nmax_queued_messages 0\n`,
  );
  const child = spawn("mosquitto", ["-c", path], { stdio: "ignore" });
  await waitForPort(port);
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      child.once("exit", () => resolve());
      child.kill("SIGTERM");
    });
  return { port, stop };
}
