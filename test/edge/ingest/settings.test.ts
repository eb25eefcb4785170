import { describeIssues } from "@sluice/shared/runtime/settings-file.ts";
import { expect, test } from "vitest";
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
