import type { OnlineQuery } from "@sluice/shared/contract/online.ts";
import { SimulatedClock } from "@sluice/shared/runtime/clock.ts";
import { PipelineError } from "@sluice/shared/runtime/errors.ts";
import { afterEach, expect, test } from "vitest";
import { fetchStatus } from "../../../edge/status/fetch-status.ts";
import type { GatewayStatus } from "../../../edge/status/gateway-status.ts";
import { statusSettingsSchema } from "../../../edge/status/settings.ts";
import { StatusServer, type StatusServerOptions } from "../../../edge/status/status-server.ts";
import { pipeline, statusWith } from "./sample-status.ts";

const settings = statusSettingsSchema.parse({ port: 0 });
const denied = { code: "store.denied", message: "403", atUs: 0 };
const ill = statusWith({ sync: { ...pipeline.sync, lake: "away", lastError: denied } });

let servers: StatusServer[] = [];
afterEach(async () => {
  for (const server of servers) await server.stop();
  servers = [];
});

const noView: StatusServerOptions["online"] = ({ view }) =>
  Promise.reject(
    new PipelineError("features.no_such_view", `this gateway computes no view "${view}"`, { hint: "None." }),
  );

async function serve(
  snapshot: () => Promise<GatewayStatus>,
  rest: Partial<StatusServerOptions> = {},
): Promise<StatusServer> {
  const server = new StatusServer({ settings, snapshot, online: noView, ...rest });
  servers.push(server);
  await server.start();
  return server;
}

const get = (server: StatusServer, path: string): Promise<Response> =>
  fetch(`http://${server.address}${path}`);

test("the status is what the gateway says, as JSON, each time anew", async () => {
  let uptimeS = 0;
  const server = await serve(async () => ({ ...statusWith({}), uptimeS: ++uptimeS }));
  expect(await (await get(server, "/status")).json()).toMatchObject({ gateway: "site-1", uptimeS: 1 });
  expect(await (await get(server, "/status")).json()).toMatchObject({ uptimeS: 2 });
});

test("health is 200, or 503 with the reasons", async () => {
  let status = statusWith({});
  const server = await serve(async () => status);
  const well = await get(server, "/healthz");
  expect([well.status, await well.json()]).toEqual([200, { healthy: true, problems: [] }]);
  status = ill;
  const unwell = await get(server, "/healthz");
  expect([unwell.status, await unwell.json()]).toEqual([
    503,
    { healthy: false, problems: ["the lake refuses what is sent: 403"] },
  ]);
});

test("a gateway that fails to say how it is, is not healthy, and says why", async () => {
  const server = await serve(() => Promise.reject(new Error("the worker has ended")));
  for (const path of ["/healthz", "/status", "/metrics"]) {
    const response = await get(server, path);
    expect([response.status, await response.json()]).toEqual([
      503,
      { healthy: false, problems: ["the worker has ended"] },
    ]);
  }
});

test("a gateway that does not answer in time is not healthy", async () => {
  const clock = new SimulatedClock(0);
  let asked: () => void = () => undefined;
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  const never = new Promise<GatewayStatus>(() => undefined);
  const server = await serve(
    () => {
      asked();
      return never;
    },
    { clock },
  );
  const answer = get(server, "/healthz");
  await isAsked;
  await clock.advance(3_000);
  expect((await answer).status).toBe(503);
  expect(await (await answer).text()).toContain("did not say within 3000 ms");
});

test("metrics are in Prometheus' text form, with their labels, and can be scraped again", async () => {
  const server = await serve(async () => statusWith({}));
  await get(server, "/metrics");
  const response = await get(server, "/metrics");
  const text = await response.text();
  expect(response.headers.get("content-type")).toContain("text/plain");
  expect(text.split("\n")).toEqual(
    expect.arrayContaining([
      "sluice_healthy 1",
      'sluice_acknowledged_messages_total{source="embedded broker"} 1000',
      'sluice_refused_total{source="embedded broker",reason="topic.reserved"} 2',
      'sluice_processed{name="quarantine.time.future"} 7',
      'sluice_features_total{name="features.pump_health.late"} 4',
      'sluice_model_info{model="pump_health",version="3"} 1',
      "sluice_buffer_disk_budget_bytes 4294967296",
      "# TYPE sluice_delivered_rows_total counter",
      "# TYPE sluice_outbox_bytes gauge",
    ]),
  );
  expect(text).not.toMatch(/NaN|undefined/);
});

test("feature vectors are served by view, device and feature", async () => {
  const asked: OnlineQuery[] = [];
  const server = await serve(async () => statusWith({}), {
    online: async (query) => {
      asked.push(query);
      return { view: query.view, viewHash: "h", maxAgeMs: 1_000, vectors: [] };
    },
  });
  const response = await get(server, "/features/pump%20health?device=p1&device=p%202&feature=a");
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ view: "pump health", viewHash: "h", maxAgeMs: 1_000, vectors: [] });
  await get(server, "/features/v?device=p1");
  expect(asked).toEqual([
    { view: "pump health", devices: ["p1", "p 2"], features: ["a"] },
    { view: "v", devices: ["p1"] },
  ]);
});

test("a question for features that cannot be answered says why, and what to ask instead", async () => {
  const server = await serve(async () => statusWith({}));
  const missing = await get(server, "/features/v?device=p1");
  expect(missing.status).toBe(404);
  expect(await missing.json()).toEqual({
    error: { code: "features.no_such_view", message: 'this gateway computes no view "v"', hint: "None." },
  });
  for (const query of ["", "?device=", "?device=a%2Fb", "?device=p&feature="]) {
    const wrong = await get(server, `/features/v${query}`);
    expect(wrong.status).toBe(400);
    expect(await wrong.json()).toMatchObject({ error: { code: "features.request_invalid" } });
  }
});

test("other paths and methods are refused, a HEAD has no body, and the server goes on", async () => {
  const server = await serve(async () => statusWith({}));
  expect((await get(server, "/nothing")).status).toBe(404);
  expect((await get(server, "//[")).status).toBe(404);
  expect((await fetch(`http://${server.address}/status`, { method: "POST", body: "{}" })).status).toBe(405);
  const head = await fetch(`http://${server.address}/status`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  expect((await get(server, "/features/%E0?device=p")).status).toBe(404);
  expect((await get(server, "/healthz")).status).toBe(200);
});

test("a port in use and an address that is not ours are refused with what to do", async () => {
  const { address } = await serve(async () => statusWith({}));
  const start = (host: string, port: number): Promise<void> =>
    new StatusServer({
      settings: { host, port },
      snapshot: async () => statusWith({}),
      online: noView,
    }).start();
  await expect(start("127.0.0.1", Number(address.split(":")[1]))).rejects.toMatchObject({
    code: "status.port_in_use",
    hint: expect.stringContaining("status.port"),
  });
  await expect(start("192.0.2.1", 0)).rejects.toMatchObject({ code: "status.address_refused" });
});

test("a client gets the status of a running gateway, and a clear refusal where none runs", async () => {
  const server = await serve(async () => statusWith({}));
  const [host = "", port] = server.address.split(":");
  const at = { host, port: Number(port) };
  expect((await fetchStatus(at)).capacity).toEqual(statusWith({}).capacity);
  await server.stop();
  await expect(fetchStatus(at)).rejects.toMatchObject({
    code: "status.unreachable",
    message: expect.stringContaining(server.address),
  });
});

test("a gateway that answers 503 is not taken for a status", async () => {
  const server = await serve(() => Promise.reject(new Error("the worker has ended")));
  const [host = "", port] = server.address.split(":");
  await expect(fetchStatus({ host, port: Number(port) })).rejects.toMatchObject({
    code: "status.unreachable",
  });
});
