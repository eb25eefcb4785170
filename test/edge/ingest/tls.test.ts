import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { connect as connectMqtt, connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hashPassword } from "../../../edge/ingest/password.ts";
import { expiryProblem, readTls } from "../../../edge/ingest/tls.ts";
import { CertificateAuthority, type CertificateFiles, isOpensslInstalled } from "./certificates.ts";
import { brokerStarter, type StartedBroker } from "./started-broker.ts";

// Goal: TLS lets in who has a right certificate, as whom it says, and nobody else. Method: certificates made by openssl
// for this run, MQTT.js as the client.

if (!isOpensslInstalled) console.warn("SKIPPED: no openssl on this machine, so TLS was not tried");

const start = brokerStarter();

/** What a client hears when the broker ends the handshake: an alert, or only the end. */
const HANDSHAKE_ERROR = /alert|closed|reset|hang up|disconnected|protocol|revoked/i;

let dir = "";
let authority: CertificateAuthority;
let server: CertificateFiles;
let pump: CertificateFiles;
let stranger: CertificateFiles;
let clients: MqttClient[] = [];

beforeAll(() => {
  if (!isOpensslInstalled) return;
  dir = mkdtempSync(join(tmpdir(), "sluice-tls-"));
  authority = new CertificateAuthority(dir);
  const other = new CertificateAuthority(dir, "other");
  server = authority.issue("server", { subject: "/CN=broker", names: "IP:127.0.0.1,DNS:localhost" });
  pump = authority.issue("pump", { subject: "/CN=pump-1", names: "DNS:pump-1.plant" });
  stranger = other.issue("stranger", { subject: "/CN=pump-1", names: "DNS:pump-1.plant" });
});

afterEach(async () => {
  for (const client of clients) await client.endAsync(true);
  clients = [];
});

afterAll(() => {
  if (isOpensslInstalled) rmSync(dir, { recursive: true });
});

const tls = (more: object = {}): object => ({ tls: { ...server, port: 0, ...more } });

const tlsAddress = ({ broker }: StartedBroker): string =>
  broker.address.split(", ").find((address) => address.startsWith("mqtts://")) ?? "";

/** Rejects with what the broker or TLS says, or where the connection just ends. */
async function connect(started: StartedBroker, options: IClientOptions = {}): Promise<MqttClient> {
  const client = connectMqtt(tlsAddress(started), {
    ca: readFileSync(authority.caFile),
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: 5_000,
    clientId: "tls",
    ...options,
  });
  clients.push(client);
  await new Promise<void>((resolve, reject) => {
    client.once("connect", () => resolve());
    client.once("error", reject);
    client.once("close", () => reject(new Error("closed")));
  });
  return client;
}

const identity = ({ certFile, keyFile }: CertificateFiles): IClientOptions => ({
  cert: readFileSync(certFile),
  key: readFileSync(keyFile),
});

/** A handshake alone; resolves with the socket, rejects with the alert. TLS 1.3 says no after the handshake. */
function shake(started: StartedBroker, options: ConnectionOptions): Promise<TLSSocket> {
  const { hostname, port } = new URL(tlsAddress(started).replace("mqtts", "https"));
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: hostname,
      port: Number(port),
      ca: readFileSync(authority.caFile),
      ...options,
    });
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
  });
}

describe.skipIf(!isOpensslInstalled)("with certificates", () => {
  test("publishes come in over TLS and plainly at the same time, and are acknowledged", async () => {
    const started = await start(tls());
    const [plain] = started.broker.address.split(", ");
    expect(plain).toMatch(/^127\.0\.0\.1:\d+$/);
    const secure = await connect(started);
    await secure.publishAsync("plant/a", "1", { qos: 1 });
    await secure.publishAsync("plant/a", "2", { qos: 2 });
    const device = await connectAsync(`mqtt://${plain}`, { protocolVersion: 4, clientId: "plain" });
    clients.push(device);
    await device.publishAsync("plant/b", "3", { qos: 1 });
    expect(started.sink.texts()).toEqual(["plant/a 1", "plant/a 2", "plant/b 3"]);
    expect(started.broker.stats()).toMatchObject({ connections: 2, acknowledged: 3, problem: undefined });
  });

  test("without plainTcp there is no way in but TLS", async () => {
    const started = await start({ ...tls(), plainTcp: false });
    expect(started.broker.address).toMatch(/^mqtts:\/\/127\.0\.0\.1:\d+$/);
    await connect(started);
  });

  test("a large message comes in whole, and a packet that is too large is refused, through TLS", async () => {
    const started = await start(tls(), { packetBytesMax: 200_000 });
    const client = await connect(started);
    await client.publishAsync("plant/a", "x".repeat(150_000), { qos: 1 });
    expect(started.broker.stats().receivedBytes).toBe(150_000);
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.publish("plant/a", "x".repeat(250_000), { qos: 1 });
    await closed;
    expect(started.refused()).toEqual({ "packet.too_large": 1 });
  });

  test("a client that does not know our authority does not trust us", async () => {
    const started = await start(tls());
    await expect(connect(started, { ca: readFileSync(stranger.certFile) })).rejects.toThrow(
      /certificate|verify/,
    );
  });

  test("a certificate is needed where it is required, and only ours counts", async () => {
    const started = await start(tls({ caFile: authority.caFile, requireClientCertificate: true }));
    await expect(connect(started)).rejects.toThrow(HANDSHAKE_ERROR);
    await expect(connect(started, identity(stranger))).rejects.toThrow(HANDSHAKE_ERROR);
    await connect(started, identity(pump));
    expect(started.refused()).toEqual({ "connect.tls": 2 });
  });

  test("a certificate that nobody asked for but that is not ours is refused in words", async () => {
    const started = await start(tls({ caFile: authority.caFile }));
    await connect(started);
    await expect(connect(started, identity(stranger))).rejects.toMatchObject({ code: 5 });
    expect(started.refused()).toEqual({ "connect.certificate": 1 });
  });

  test.each([
    ["commonName", "pump-1"],
    ["dnsName", "pump-1.plant"],
  ])(
    "the certificate's %s is the user, whatever a client says of itself",
    async (userFromCertificate, user) => {
      const started = await start({
        ...tls({ caFile: authority.caFile, requireClientCertificate: true, userFromCertificate }),
        access: [{ allow: ["publish"], topics: ["plant/{username}"] }],
      });
      const client = await connect(started, identity(pump));
      await client.publishAsync(`plant/${user}`, "1", { qos: 1 });
      await connect(started, { ...identity(pump), username: user, clientId: "same" });
      await expect(
        connect(started, { ...identity(pump), username: "ada", clientId: "other" }),
      ).rejects.toMatchObject({ code: 4 });
      const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
      client.publish("plant/other", "1", { qos: 1 });
      await closed;
      expect(started.refused()).toEqual({ "connect.credentials": 1, "topic.denied": 1 });
    },
  );

  test("a certificate of several names, or of one that is no user's, says nothing", async () => {
    const started = await start(
      tls({ caFile: authority.caFile, requireClientCertificate: true, userFromCertificate: "commonName" }),
    );
    const two = authority.issue("two", { subject: "/CN=a/CN=b" });
    const wild = authority.issue("wild", { subject: "/CN=#" });
    const none = authority.issue("none", { subject: "/O=nobody" });
    for (const files of [two, wild, none])
      await expect(connect(started, identity(files))).rejects.toMatchObject({ code: 5 });
    expect(started.refused()).toEqual({ "connect.certificate": 3 });
  });

  test("with users and certificates both are needed, unless the certificate names the user", async () => {
    const usersFile = join(dir, "users");
    writeFileSync(usersFile, `ada:${await hashPassword("correct", { ln: 1, r: 1, p: 1 })}\n`);
    const both = await start({
      ...tls({ caFile: authority.caFile, requireClientCertificate: true }),
      usersFile,
    });
    await expect(connect(both, identity(pump))).rejects.toMatchObject({ code: 5 });
    await expect(
      connect(both, { ...identity(pump), username: "ada", password: "wrong" }),
    ).rejects.toMatchObject({
      code: 4,
    });
    await connect(both, { ...identity(pump), username: "ada", password: "correct" });
  });

  test("a revoked certificate is refused", async () => {
    const crlFile = join(dir, "crl.pem");
    writeFileSync(crlFile, authority.revoke(pump));
    const started = await start(tls({ caFile: authority.caFile, crlFile, requireClientCertificate: true }));
    await expect(connect(started, identity(pump))).rejects.toThrow(HANDSHAKE_ERROR);
    await connect(started, identity(authority.issue("fresh", { subject: "/CN=fresh" })));
    expect(started.refused()).toEqual({ "connect.tls": 1 });
  });

  test("TLS older than minVersion is not spoken", async () => {
    const old = await start(tls());
    await expect(shake(old, { minVersion: "TLSv1.1", maxVersion: "TLSv1.1" })).rejects.toThrow(
      HANDSHAKE_ERROR,
    );
    const strict = await start(tls({ minVersion: "TLSv1.3" }));
    await expect(shake(strict, { maxVersion: "TLSv1.2" })).rejects.toThrow(HANDSHAKE_ERROR);
    const socket = await shake(strict, {});
    expect(socket.getProtocol()).toBe("TLSv1.3");
    socket.destroy();
    expect(strict.refused()).toEqual({ "connect.tls": 1 });
  });

  test("whoever begins no handshake is closed in time, and what is no TLS is counted", async () => {
    const started = await start({ ...tls(), connectTimeoutMs: 200 });
    const { hostname, port } = new URL(tlsAddress(started).replace("mqtts", "https"));
    for (const bytes of ["", "GET / HTTP/1.1\r\n\r\n"]) {
      const socket = connectTcp(Number(port), hostname);
      socket.on("error", () => undefined);
      socket.resume();
      socket.write(bytes);
      await new Promise((resolve) => socket.once("close", resolve));
    }
    expect(started.refused()).toEqual({ "connect.timeout": 1, "connect.tls": 1 });
  });

  test("a new certificate is shown without a restart, and one that does not fit its key is not", async () => {
    const files = { certFile: join(dir, "live.crt"), keyFile: join(dir, "live.key") };
    const place = (from: CertificateFiles): void => {
      copyFileSync(from.keyFile, files.keyFile);
      copyFileSync(from.certFile, files.certFile);
    };
    place(server);
    const started = await start({ tls: { ...files, port: 0 }, recheckS: 1 });
    const shown = async (): Promise<string> => {
      const socket = await shake(started, {});
      const subject = socket.getPeerX509Certificate()?.subject ?? "";
      socket.destroy();
      return subject;
    };
    expect(await shown()).toBe("CN=broker");
    const client = await connect(started);
    place(authority.issue("renewed", { subject: "/CN=renewed", names: "IP:127.0.0.1" }));
    await expect.poll(shown, { timeout: 5_000 }).toBe("CN=renewed");
    await client.publishAsync("plant/a", "1", { qos: 1 }); // Connections that are there stay.
    copyFileSync(pump.keyFile, files.keyFile);
    await expect
      .poll(() => started.broker.stats().problem, { timeout: 5_000 })
      .toContain("those from before");
    expect(await shown()).toBe("CN=renewed");
  });

  test("a certificate that ends soon is a problem before it is one", async () => {
    const soon = authority.issue("soon", { subject: "/CN=soon", names: "IP:127.0.0.1", days: 3 });
    const started = await start({ tls: { ...soon, port: 0 } });
    expect(started.broker.stats().problem).toBe("the broker's certificate expires in 3 days");
    const at = (nowUs: number): string | undefined =>
      expiryProblem("it", 10 * 86_400_000_000, { nowUs, warningDays: 2 });
    expect(at(7 * 86_400_000_000)).toBeUndefined();
    expect(at(8 * 86_400_000_000)).toBe("it expires in 2 days");
    expect(at(10 * 86_400_000_000)).toMatch(/^it has expired/);
  });

  test("a broker whose certificate cannot be used does not start, and leaves no port open", async () => {
    await expect(start({ tls: { ...server, keyFile: pump.keyFile, port: 0 } })).rejects.toMatchObject({
      code: "ingest.tls_invalid",
    });
    await expect(start(tls({ certFile: join(dir, "missing") }))).rejects.toMatchObject({
      code: "ingest.tls_unreadable",
    });
  });

  test("what is wrong with a file is said by the setting's name", () => {
    expect(() => readTls("ingest.client", { caFile: join(dir, "missing") })).toThrow(
      /ingest\.client\.caFile/,
    );
  });
});
