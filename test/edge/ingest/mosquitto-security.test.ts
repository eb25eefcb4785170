import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { silentLog } from "@sluice/shared/runtime/log.ts";
import { connectAsync } from "mqtt";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createBrokerClient } from "../../../edge/ingest/broker-client.ts";
import { ingestSettingsSchema } from "../../../edge/ingest/settings.ts";
import type { Source } from "../../../edge/ingest/source.ts";
import { OrderedSink } from "../../suites/source-harness.ts";
import { CertificateAuthority, type CertificateFiles } from "./certificates.ts";
import { isMosquittoInstalled, Mosquitto } from "./mosquitto-process.ts";

// Goal: an existing broker is trusted for its certificate alone, knows the gateway by its own, and loses nothing when
// either of the two starts anew. Method: mosquitto with a private authority made for this run.

if (!isMosquittoInstalled)
  console.warn("SKIPPED: no mosquitto on this machine, so TLS to an existing broker was not tried");

let dir = "";
let authority: CertificateAuthority;
let gateway: CertificateFiles;
let mosquitto: Mosquitto;
let sources: Source[] = [];

beforeAll(async () => {
  if (!isMosquittoInstalled) return;
  dir = mkdtempSync(join(tmpdir(), "sluice-mosquitto-tls-"));
  chmodSync(dir, 0o755); // mosquitto gives up root's rights before it reads.
  authority = new CertificateAuthority(dir);
  const server = authority.issue("server", { subject: "/CN=broker", names: "IP:127.0.0.1,DNS:broker.plant" });
  gateway = authority.issue("gateway", { subject: "/CN=gateway-1" });
  for (const file of [server.keyFile, authority.caFile, server.certFile]) chmodSync(file, 0o644);
  mkdirSync(join(dir, "store"), { mode: 0o777 });
  chmodSync(join(dir, "store"), 0o777);
  mosquitto = await Mosquitto.start(dir, [
    `cafile ${authority.caFile}`,
    `certfile ${server.certFile}`,
    `keyfile ${server.keyFile}`,
    "require_certificate true",
    "use_identity_as_username true",
    "persistence true",
    `persistence_location ${join(dir, "store")}/`,
  ]);
});

afterEach(async () => {
  for (const source of sources) await source.stop();
  sources = [];
});

afterAll(async () => {
  if (!isMosquittoInstalled) return;
  await mosquitto.end();
  rmSync(dir, { recursive: true });
});

async function startSource(
  settings: object,
): Promise<{ readonly source: Source; readonly sink: OrderedSink }> {
  const sink = new OrderedSink();
  const client = {
    url: `mqtts://127.0.0.1:${mosquitto.port}`,
    topics: ["plant/#"],
    reconnectBaseMs: 10,
    reconnectMaxMs: 100,
    caFile: authority.caFile,
    ...gateway,
    ...settings,
  };
  const source = createBrokerClient({
    settings: ingestSettingsSchema.parse({ client, stopDeadlineMs: 20 }),
    sink,
    clock: systemClock,
    log: silentLog,
  });
  sources.push(source);
  await source.start();
  return { source, sink };
}

async function publishAll(topic: string, count: number): Promise<void> {
  const device = await connectAsync(`mqtts://127.0.0.1:${mosquitto.port}`, {
    ca: readFileSync(authority.caFile),
    cert: readFileSync(gateway.certFile),
    key: readFileSync(gateway.keyFile),
  });
  await Promise.all(
    Array.from({ length: count }, (_, i) => device.publishAsync(topic, String(i), { qos: 1 })),
  );
  await device.endAsync();
}

describe.skipIf(!isMosquittoInstalled)("with mosquitto over TLS", () => {
  test.each([4, 5])("the gateway shows its certificate and takes messages (protocol %i)", async (version) => {
    const { source, sink } = await startSource({
      clientId: `tls-${version}`,
      topics: [`tls/${version}`],
      protocolVersion: version,
    });
    await publishAll(`tls/${version}`, 50);
    await sink.arrived(50);
    expect(source.stats()).toMatchObject({ connections: 1, problem: undefined });
  });

  test("without a certificate of its own the broker refuses it, and it says so", async () => {
    const { source } = await startSource({ clientId: "bare", certFile: undefined, keyFile: undefined });
    expect(source.stats()).toMatchObject({ connections: 0 });
    expect(source.stats().problem).toContain(`127.0.0.1:${mosquitto.port}`);
  });

  test("a broker whose authority is not known is not trusted", async () => {
    const other = new CertificateAuthority(dir, "other");
    const { source } = await startSource({ clientId: "wary", caFile: other.caFile });
    expect(source.stats().connections).toBe(0);
    expect(source.stats().problem).toMatch(/certificate|verify/);
  });

  test("a broker whose certificate has another name is not trusted, unless that name is asked for", async () => {
    const wrong = await startSource({ clientId: "names", serverName: "other.plant" });
    expect(wrong.source.stats()).toMatchObject({ connections: 0 });
    expect(wrong.source.stats().problem).toMatch(/altnames|Host/);
    const right = await startSource({ clientId: "names-too", serverName: "broker.plant" });
    expect(right.source.stats()).toMatchObject({ connections: 1, problem: undefined });
  });

  test("a certificate that is put in place later is taken up at the next try", async () => {
    const files = { certFile: join(dir, "later.crt"), keyFile: join(dir, "later.key") };
    const stranger = new CertificateAuthority(dir, "stranger").issue("wrong", { subject: "/CN=x" });
    const place = (from: CertificateFiles): void => {
      copyFileSync(from.keyFile, files.keyFile);
      copyFileSync(from.certFile, files.certFile);
    };
    place(stranger);
    const { source } = await startSource({ clientId: "later", ...files });
    expect(source.stats().connections).toBe(0);
    place(gateway);
    await expect.poll(() => source.stats().problem, { timeout: 5_000 }).toBeUndefined();
    expect(source.stats().connections).toBe(1);
  });

  test("a certificate of ours that ends soon is a problem before it is one", async () => {
    const soon = authority.issue("soon", { subject: "/CN=soon", days: 2 });
    const { source } = await startSource({ clientId: "soon", ...soon });
    expect(source.stats().connections).toBe(1);
    expect(source.stats().problem).toContain("expires in 2 days");
  });

  test.each([4, 5])(
    "what comes while the gateway is away, and over a restart of the broker, is taken once (protocol %i)",
    async (version) => {
      const settings = {
        clientId: `kept-${version}`,
        topics: [`kept/${version}`],
        protocolVersion: version,
      };
      const before = await startSource(settings);
      await before.source.stop();
      await publishAll(`kept/${version}`, 20);
      await mosquitto.end();
      await mosquitto.begin();
      const { source, sink } = await startSource(settings);
      await sink.arrived(20);
      await mosquitto.end();
      await mosquitto.begin();
      await publishAll(`kept/${version}`, 5);
      await sink.arrived(25);
      await expect.poll(() => source.stats().acknowledged, { timeout: 5_000 }).toBeGreaterThanOrEqual(25);
      expect(new Set(sink.texts()).size).toBe(20);
    },
  );

  test("two gateways in one group split what comes, and what one of them leaves behind waits for it", async () => {
    const shared = { topics: ["shared/#"], sharedGroup: "collectors" };
    const one = await startSource({ ...shared, clientId: "one" });
    const other = await startSource({ ...shared, clientId: "other" });
    await publishAll("shared/a", 100);
    await expect.poll(() => one.sink.puts.length + other.sink.puts.length).toBe(100);
    expect(Math.min(one.sink.puts.length, other.sink.puts.length)).toBeGreaterThan(0);
    await other.source.stop();
    const hadAlready = other.sink.puts.length;
    await publishAll("shared/b", 100);
    // What mosquitto still gives to the session of the one that is away waits there for it.
    await expect
      .poll(() => one.sink.texts().filter((text) => text.startsWith("shared/b")).length)
      .toBeGreaterThan(0);
    expect(other.sink.puts).toHaveLength(hadAlready);
    const back = await startSource({ ...shared, clientId: "other" });
    await expect
      .poll(() => new Set([...one.sink.texts(), ...back.sink.texts(), ...other.sink.texts()]).size)
      .toBe(200);
  });
});
