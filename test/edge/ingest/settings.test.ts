import { showSettings } from "@sluice/shared/runtime/settings-file.ts";
import { describeIssues } from "@sluice/shared/runtime/settings-issues.ts";
import { expect, test } from "vitest";
import { resolveIngestFiles } from "../../../edge/ingest/settings-files.ts";
import { ingestSettingsSchema } from "../../../edge/ingest/settings.ts";

const client = { url: "mqtt://broker.example", topics: ["plant/#"], clientId: "site-1" };

function mistakes(input: object): readonly string[] {
  return describeIssues(ingestSettingsSchema.safeParse(input).error?.issues ?? [], input);
}

test("an empty broker section means MQTT's own port on loopback", () => {
  expect(ingestSettingsSchema.parse({ broker: {} })).toMatchObject({
    broker: { host: "127.0.0.1", port: 1_883, allowAnonymousRemote: false },
    packetBytesMax: 262_144,
  });
});

test.each(["127.0.0.1", "127.8.9.10", "localhost", "::1"])(
  "%s is loopback, where anybody may publish",
  (host) => {
    expect(mistakes({ broker: { host } })).toEqual([]);
  },
);

test.each(["0.0.0.0", "::", "192.168.1.5", "example.com", "127.0.0.1.example.com"])(
  "%s can be reached from outside, which has to be allowed in words",
  (host) => {
    expect(mistakes({ broker: { host } })).toEqual([
      "broker.allowAnonymousRemote: missing: must be true where host is not loopback and there is no usersFile: anyone who reaches the port can publish",
    ]);
    expect(mistakes({ broker: { host, allowAnonymousRemote: true } })).toEqual([]);
  },
);

test("without a broker and without a client nothing could come in", () => {
  expect(mistakes({})).toEqual([
    "(the file): {}: give broker, client, or both: without one no message can come in",
  ]);
});

test.each([
  ["url", { ...client, url: "http://broker.example" }],
  ["url", { ...client, url: "broker.example:1883" }],
  ["topics", { ...client, topics: [] }],
  ["clientId", { url: client.url, topics: client.topics }],
  ["sharedGroup", { ...client, sharedGroup: "a/b" }],
  ["protocolVersion", { ...client, protocolVersion: 3 }],
  ["keepAliveS", { ...client, keepAliveS: 0 }],
])("a wrong client.%s is named", (field, settings) => {
  const found = mistakes({ client: settings });
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(new RegExp(`^client\\.${field}: `));
});

test("unknown settings and limits out of range are all named at once", () => {
  expect(mistakes({ broker: { port: 70_000, tls: true }, packetBytesMax: 1 })).toHaveLength(3);
});

const tls = { certFile: "a.crt", keyFile: "a.key" };

test.each([
  ["plainTcp", { plainTcp: false }],
  ["tls.caFile", { tls: { ...tls, requireClientCertificate: true } }],
  ["tls.caFile", { tls: { ...tls, userFromCertificate: "commonName" } }],
  ["tls.keyFile", { tls: { certFile: "a.crt" } }],
  ["tls.requireClientCertificate", { tls: { ...tls, host: "0.0.0.0" } }],
  ["access.0.topics.0", { access: [{ allow: ["publish"], topics: ["a#"] }] }],
  ["access.0", { access: [{ topics: ["a"] }] }],
  ["access.0", { access: [{ allow: ["publish"], deny: ["publish"], topics: ["a"] }] }],
  ["access", { access: [] }],
])("a wrong broker.%s is named", (field, settings) => {
  const found = mistakes({ broker: settings });
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(`broker.${field}: `);
});

test.each([
  { host: "0.0.0.0", usersFile: "users" },
  { tls: { ...tls, host: "0.0.0.0" }, usersFile: "users" },
  { tls: { ...tls, host: "0.0.0.0", caFile: "ca.crt", requireClientCertificate: true } },
  { tls: { ...tls, host: "0.0.0.0" }, allowAnonymousRemote: true },
  { host: "0.0.0.0", plainTcp: false, tls },
])("%j may be reached from outside", (settings) => {
  expect(mistakes({ broker: settings })).toEqual([]);
});

test.each([
  ["keyFile", { certFile: "a.crt", url: "mqtts://broker.example" }],
  ["url", { caFile: "ca.crt" }],
  ["serverName", { serverName: "broker", url: "wss://broker.example" }],
])("certificates that could not be used are a mistake: client.%s", (field, settings) => {
  const found = mistakes({ client: { ...client, ...settings } });
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(new RegExp(`^client\\.${field}: `));
});

test("files are found from the settings file's folder, and nothing else is changed", () => {
  const settings = ingestSettingsSchema.parse({
    broker: { tls: { ...tls, caFile: "ca.crt" }, usersFile: "users" },
    client: { ...client, url: "mqtts://broker.example", caFile: "root.crt" },
  });
  const resolved = resolveIngestFiles(settings, (file) => `etc/${file}`);
  expect(resolved).toMatchObject({
    broker: {
      usersFile: "etc/users",
      tls: { certFile: "etc/a.crt", keyFile: "etc/a.key", caFile: "etc/ca.crt" },
    },
    client: { caFile: "etc/root.crt", clientId: "site-1" },
  });
  expect(resolved.broker?.port).toBe(1_883);
});

test("settings are shown without what is secret in them", () => {
  const shown = showSettings({
    ingest: {
      client: { url: "mqtt://ada:hunter2@broker.example", password: "hunter3", passwordCacheS: 600 },
    },
    lake: { secretAccessKey: "hunter4", accessKeyId: "id" },
  });
  expect(shown).not.toMatch(/hunter/);
  expect(JSON.parse(shown)).toEqual({
    ingest: { client: { url: "mqtt://(hidden)@broker.example", password: "(hidden)", passwordCacheS: 600 } },
    lake: { secretAccessKey: "(hidden)", accessKeyId: "id" },
  });
});
