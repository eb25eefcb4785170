import { readFileSync } from "node:fs";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { expect, onTestFinished, test } from "vitest";
import { CertificateAuthority, isOpensslInstalled } from "../edge/ingest/certificates.ts";
import { run } from "./programs.ts";
import { connectPublisher, COUNT_NUMBERED, countedOnce, numbered, publishAll, Site } from "./site.ts";

/** Connects once; rejects with the broker's answer where it refuses. */
async function connect(url: string, options: IClientOptions): Promise<MqttClient> {
  const client = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0, ...options });
  client.on("error", () => undefined);
  onTestFinished(() => void client.end(true));
  return client;
}

async function addUser(file: string, name: string): Promise<string> {
  const { stdout } = await run("gateway", "users", "add", name, "--file", file, "--json");
  return (JSON.parse(stdout) as { password: string }).password;
}

const payload = (n: number): string => JSON.stringify({ ts: Date.UTC(2026, 9, 1) + n, n });

test.skipIf(!isOpensslInstalled)(
  "over TLS only who has a password gets in, publishes where the rules allow, and is in the lake once",
  async () => {
    const site = await Site.make();
    const authority = new CertificateAuthority(site.dir);
    const { certFile, keyFile } = authority.issue("broker", {
      subject: "/CN=broker",
      names: "DNS:localhost,IP:127.0.0.1",
    });
    const users = await site.write("users", "");
    const [pump, dashboard] = [await addUser(users, "pump-1"), await addUser(users, "dashboard")];
    await site.change({
      ingest: {
        broker: {
          port: 0,
          tls: { port: 0, certFile, keyFile },
          plainTcp: false,
          usersFile: users,
          access: [
            { allow: ["publish"], topics: ["plant/{username}/#"] },
            { allow: ["subscribe"], users: ["dashboard"], topics: ["plant/#"] },
          ],
        },
      },
    });
    const gateway = await site.startGateway();
    const url = gateway.mqtt;
    expect(url).toMatch(/^mqtts:/);
    const ca = readFileSync(authority.caFile);

    await expect(connect(url, { username: "pump-1", password: pump })).rejects.toThrow(/certificate/);
    await expect(connect(url, { ca })).rejects.toThrow("Not authorized");
    await expect(connect(url, { ca, username: "pump-1", password: "guess" })).rejects.toThrow(/[Bb]ad user/);

    const listener = await connect(url, { ca, username: "dashboard", password: dashboard });
    const heard: string[] = [];
    listener.on("message", (topic) => heard.push(topic));
    await listener.subscribeAsync("plant/#", { qos: 1 });
    const device = await connect(url, { ca, username: "pump-1", password: pump });
    for (let n = 0; n < 100; n++) await device.publishAsync("plant/pump-1/telemetry", payload(n), { qos: 1 });
    const denied = await device
      .subscribeAsync("plant/#", { qos: 1 })
      .catch((error: unknown) => String(error));
    expect(JSON.stringify(denied)).toMatch(/128|rror/);
    const closed = new Promise<void>((resolve) => void device.once("close", () => resolve())); // MQTT 3.1.1 has no other way to say no to a publish.
    device.publish("plant/pump-2/telemetry", payload(1), { qos: 1 });
    await closed;

    const { ingest } = await gateway.drained();
    expect(ingest[0]?.refused).toMatchObject({
      "connect.anonymous": 1,
      "connect.credentials": 1,
      "subscribe.denied": 1,
      "topic.denied": 1,
    });
    expect(heard).toEqual(Array.from({ length: 100 }, () => "plant/pump-1/telemetry"));
    expect(await site.commitAndAsk(COUNT_NUMBERED)).toEqual([countedOnce(100)]);
    expect(gateway.stderr).not.toContain(pump);
    await gateway.stop();
  },
  60_000,
);

test("readings that a device sends twice, in other packets and after a restart, are in the lake once", async () => {
  const site = await Site.make();
  const startMs = Date.UTC(2026, 9, 1);
  const first = await site.startGateway();
  const publisher = await connectPublisher(first);
  await publishAll(publisher, numbered(0, 500, startMs));
  await publishAll(publisher, numbered(200, 600, startMs));
  await first.kill();
  const second = await site.startGateway();
  await publishAll(publisher, numbered(400, 700, startMs));
  const { counters } = await second.drained();
  expect(counters).toMatchObject({ messages: 1_200, readings: 700, duplicates: 500 });
  expect(await site.commitAndAsk(COUNT_NUMBERED)).toEqual([countedOnce(700)]);
  await second.stop();
}, 60_000);
