import { chmod } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { generateKeyPair } from "@sluice/shared/codec/signature.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { expect, onTestFinished, test } from "vitest";
import { type Outcome, run } from "./programs.ts";
import { type Change, type Section, Site } from "./site.ts";

/** Longer than that nobody should wait to hear that something cannot work; a busy machine included. */
const ANSWER_MS_MAX = 10_000;

/** A port of this machine that another program listens on. */
async function takenPort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}

/** Runs a gateway that cannot start; what it said. */
async function refusal(site: Site, change: Change): Promise<Outcome> {
  const settings = await site.gatewayVariant("refused.yaml", change);
  const startUs = systemClock.monotonicUs();
  const outcome = await run("gateway", "run", "--config", settings, "--json");
  expect((systemClock.monotonicUs() - startUs) / 1_000).toBeLessThan(ANSWER_MS_MAX);
  return outcome;
}

/** Runs a cloud service that cannot start; what it said. */
async function cloudRefusal(site: Site, change: Section): Promise<Outcome> {
  const settings = await site.cloudVariant("refused-cloud.yaml", change);
  return run("cloud", "run", "--config", settings, "--json");
}

/** What was said, where it was one line on standard error and exit code 2; otherwise everything that was. */
function oneLine({ code, stdout, stderr }: Outcome): string {
  const lines = stderr.trimEnd().split("\n");
  const isOne = code === 2 && stdout === "" && lines.length === 1;
  return isOne ? stderr : `NOT ONE LINE AND CODE 2: ${JSON.stringify({ code, stdout, stderr })}`;
}

const lineWith = (...texts: readonly string[]): RegExp =>
  new RegExp(`^sluice-.*${texts.map((text) => RegExp.escape(text)).join(".*")}`);

test("a port in use is one clear line and exit code 2, for the broker and for the status page", async () => {
  const port = await takenPort();
  const site = await Site.make();
  const broker = await refusal(site, { ingest: { broker: { port } } });
  expect(oneLine(broker)).toMatch(
    lineWith(`127.0.0.1:${port} is in use by another program`, "ingest.broker.port"),
  );
  const status = await refusal(site, { status: { port } });
  expect(oneLine(status)).toMatch(lineWith(`127.0.0.1:${port} is in use by another program`, "status.port"));
  const cloud = await cloudRefusal(site, { status: { port } });
  expect(oneLine(cloud)).toMatch(lineWith(`127.0.0.1:${port}`, "status.port"));
}, 60_000);

test("a buffer that is a file, or whose folder nobody may write to, is one clear line and exit code 2", async () => {
  const site = await Site.make();
  await site.write("a-file", "not a folder");
  expect(oneLine(await refusal(site, { buffer: { dir: "a-file" } }))).toMatch(
    lineWith(join(site.dir, "a-file")),
  );
  expect(oneLine(await refusal(site, { buffer: { dir: "a-file/below" } }))).toMatch(
    lineWith(join(site.dir, "a-file/below")),
  );
  // A folder of the kernel that not even root may make anything in.
  expect(oneLine(await refusal(site, { buffer: { dir: "/sys/sluice" } }))).toMatch(lineWith("/sys/sluice"));
}, 60_000);

test.skipIf(process.getuid?.() === 0)(
  "a buffer in a folder without rights is one clear line and exit code 2",
  async () => {
    const site = await Site.make();
    await chmod(site.dir, 0o555);
    onTestFinished(() => chmod(site.dir, 0o755));
    expect(oneLine(await refusal(site, {}))).toMatch(lineWith(join(site.dir, "buffer")));
  },
  30_000,
);

test("a second gateway on the same buffer is one clear line and exit code 2, and the first goes on", async () => {
  const site = await Site.make();
  const first = await site.startGateway();
  const second = await refusal(site, { ingest: { broker: { port: 0 } }, status: { port: 0 } });
  expect(oneLine(second)).toMatch(lineWith(join(site.dir, "buffer"), "is in use by another gateway"));
  expect(await first.getHealth()).toEqual({ code: 200, problems: [] });
  // The lock ends with the process, however it ends.
  await first.kill();
  const third = await site.startGateway();
  expect(await third.stop()).toMatchObject({ code: 0 });
}, 60_000);

test("a key that is missing or is none is one clear line and exit code 2", async () => {
  const site = await Site.make();
  await site.write("other.pub", "not a key");
  await site.write("secret.pub", site.keys.privateKeyPem);
  const keys = (file: string): Change => ({ models: { publicKeys: [file] } });
  expect(oneLine(await refusal(site, keys("none.pub")))).toMatch(
    lineWith(join(site.dir, "none.pub"), "sluice-cloud keys"),
  );
  expect(oneLine(await refusal(site, keys("other.pub")))).toMatch(lineWith(join(site.dir, "other.pub")));
  expect(oneLine(await refusal(site, keys("secret.pub")))).toMatch(
    lineWith(join(site.dir, "secret.pub"), "private key"),
  );
}, 60_000);

test("a cloud whose lake or cache is no folder, or that nobody may write to, says so in one line and exits with 2", async () => {
  const site = await Site.make();
  const file = await site.write("a-file", "not a folder");
  const lake = (path: string): Section => ({ lake: { kind: "folder", path } });
  expect(oneLine(await cloudRefusal(site, lake("a-file")))).toMatch(lineWith(file));
  expect(oneLine(await cloudRefusal(site, lake("missing/lake")))).toMatch(lineWith("missing/lake", "Make"));
  expect(oneLine(await cloudRefusal(site, lake("/sys/sluice")))).toMatch(lineWith("/sys/sluice", "right"));
  const cache = await cloudRefusal(site, { tables: { cacheDir: "a-file" } });
  expect(oneLine(cache)).toMatch(lineWith(file, "tables.cacheDir"));
}, 60_000);

test("a cloud with a signing key that is none, or that its public keys do not know, does not wait for a training to say so", async () => {
  const site = await Site.make();
  await site.write("stranger.key", generateKeyPair().privateKeyPem);
  const key = (privateKey: string): Section => ({ keys: { privateKey, publicKeys: ["signing.pub"] } });
  expect(oneLine(await cloudRefusal(site, key("none.key")))).toMatch(lineWith(join(site.dir, "none.key")));
  expect(oneLine(await cloudRefusal(site, key("signing.pub")))).toMatch(
    lineWith("signing.pub", "private key"),
  );
  expect(oneLine(await cloudRefusal(site, key("stranger.key")))).toMatch(
    lineWith("stranger.key", "keys.publicKeys"),
  );
}, 60_000);
