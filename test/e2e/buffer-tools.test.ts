import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "./programs.ts";
import { connectPublisher, COUNT_NUMBERED, countedOnce, numbered, publishAll, Site } from "./site.ts";

/** Each runs up to a dozen programs, one after the other. */
const SLOW = { timeout: 120_000 };

const START_MS = 1_760_000_000_000;

const buffer = (site: Site, command: string, ...args: readonly string[]) =>
  run("gateway", "buffer", command, "--config", site.gatewayFile, ...args);

const segmentsOf = (site: Site): string[] =>
  readdirSync(join(site.dir, "buffer/segments"))
    .filter((name) => /^segment-\d+\.db$/.test(name))
    .sort()
    .map((name) => join(site.dir, "buffer/segments", name));

/** A site whose lake is away, so that everything stays in the buffer. */
const siteWithoutLake = (more: Readonly<Record<string, unknown>> = {}): Promise<Site> =>
  Site.make({
    buffer: { segmentBytesMax: 65_536, ...more },
    lake: {
      kind: "s3",
      endpoint: "http://127.0.0.1:9",
      bucket: "none",
      accessKeyId: "a",
      secretAccessKey: "b",
      attemptsMax: 1,
    },
  });

async function publishSome(site: Site, count: number): Promise<void> {
  const gateway = await site.startGateway();
  const publisher = await connectPublisher(gateway);
  await publishAll(publisher, numbered(0, count, START_MS));
  await gateway.statusWhen(
    "all is derived",
    ({ buffer: { decodedThrough } }) => decodedThrough === count - 1,
  );
  await publisher.stop();
  // While the gateway runs.
  const inspected = await buffer(site, "inspect", "--json");
  expect(JSON.parse(inspected.stdout).segments.length).toBeGreaterThan(1);
  const verified = await buffer(site, "verify");
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining(`whole: ${count} messages`) });
  await gateway.stop();
}

test(
  "a backlog is inspected, verified and exported, with the gateway running and stopped",
  SLOW,
  async () => {
    const site = await siteWithoutLake();
    await publishSome(site, 3_000);
    const table = await buffer(site, "inspect");
    expect(table.stdout).toMatch(/3000 messages in \d+ segments/);
    expect(table.stdout).toMatch(/readings +0 .* 3000 /);
    expect(await buffer(site, "verify")).toMatchObject({ code: 0 });
    const lines = await buffer(site, "export", "--from", "1000", "--through", "1009");
    const messages = lines.stdout
      .trimEnd()
      .split("\n")
      .map((line): { offset: number; topic: string; payload: string } => JSON.parse(line));
    expect(messages.map(({ offset }) => offset)).toEqual(Array.from({ length: 10 }, (_, i) => 1_000 + i));
    expect(messages[0]).toMatchObject({ topic: "plant/pump-1/telemetry", client: "fleet", qos: 1 });
    expect(JSON.parse(messages[0]?.payload ?? "")).toMatchObject({ n: 1_000 });
    const out = join(site.dir, "readings.csv");
    expect(await buffer(site, "export", "--readings", "--out", out)).toMatchObject({ code: 0 });
    const rows = readFileSync(out, "utf8").trimEnd().split("\n");
    expect(rows).toHaveLength(3_001);
    expect(rows[0]).toMatch(/^offset,index,device/);
    expect(await buffer(site, "export", "--readings", "--out", out)).toMatchObject({ code: 2 }); // Nothing is overwritten.
    const arrow = join(site.dir, "readings.arrow");
    expect(await buffer(site, "export", "--readings", "--format", "arrow", "--out", arrow)).toMatchObject({
      code: 0,
    });
  },
);

test("damage is found, what is whole is put back, and the gateway goes on with it", SLOW, async () => {
  const site = await siteWithoutLake();
  await publishSome(site, 3_000);
  const path = segmentsOf(site)[1] ?? "";
  const bytes = readFileSync(path);
  bytes.fill(0x5a, 0, 4_096);
  writeFileSync(path, bytes);
  const verified = await buffer(site, "verify");
  expect(verified).toMatchObject({ code: 1, stdout: expect.stringContaining(path) });
  const tried = await buffer(site, "repair", "--json");
  expect(JSON.parse(tried.stdout)).toMatchObject([{ file: path, repaired: `${path}.repaired`, lost: [] }]);
  const repaired = await buffer(site, "repair", "--replace");
  expect(repaired).toMatchObject({ code: 0, stdout: expect.stringContaining(`${path}.damaged`) });
  expect(await buffer(site, "verify")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("3000 messages"),
  });
  const gateway = await site.startGateway();
  expect((await gateway.getStatus()).buffer.damages).toEqual([]);
  const locked = await buffer(site, "repair", "--replace");
  expect(locked).toMatchObject({ code: 2, stderr: expect.stringContaining("buffer.locked") });
  await gateway.stop();
});

test("a gateway mends a damaged segment by itself and delivers every message once", SLOW, async () => {
  const site = await Site.make({ buffer: { segmentBytesMax: 65_536 } });
  const lakeAway = await site.gatewayVariant("gateway.yaml", {
    lake: {
      kind: "s3",
      endpoint: "http://127.0.0.1:9",
      bucket: "none",
      accessKeyId: "a",
      secretAccessKey: "b",
    },
  });
  expect(lakeAway).toBe(site.gatewayFile);
  const first = await site.startGateway();
  const publisher = await connectPublisher(first);
  await publishAll(publisher, numbered(0, 2_000, START_MS));
  await first.kill();
  await publisher.stop();
  const path = segmentsOf(site)[0] ?? "";
  const bytes = readFileSync(path);
  bytes.fill(0x5a, 0, 100);
  writeFileSync(path, bytes);
  const second = await site.startGateway(); // With the lake.
  await second.drained();
  expect(existsSync(`${path}.damaged`)).toBe(true);
  await second.stop();
  expect(await site.commitAndAsk(COUNT_NUMBERED)).toEqual([countedOnce(2_000)]);
});

test("a gateway whose state is damaged begins a new epoch, and no reading is missing", SLOW, async () => {
  const site = await Site.make({ buffer: { segmentBytesMax: 65_536 } });
  const first = await site.startGateway();
  const publisher = await connectPublisher(first);
  await publishAll(publisher, numbered(0, 2_000, START_MS));
  const { epoch } = await first.drained();
  await publishAll(publisher, numbered(2_000, 2_500, START_MS));
  await first.kill();
  const path = join(site.dir, "buffer/state.db");
  const bytes = readFileSync(path);
  bytes.fill(0x5a, 0, 100);
  writeFileSync(path, bytes);
  rmSync(`${path}-wal`, { force: true });
  const second = await site.startGateway();
  await publishAll(publisher, numbered(2_500, 3_000, START_MS));
  const after = await second.drained();
  expect(after.epoch).not.toBe(epoch);
  await publisher.stop();
  await second.stop();
  const [row] = await site.commitAndAsk(COUNT_NUMBERED);
  expect(row).toMatchObject({ numbers: 3_000 });
  // What was under way when it was killed is all that may be there twice.
  expect(Number(row?.["rows"])).toBeLessThanOrEqual(3_500);
  expect((await buffer(site, "verify")).code).toBe(0);
});

test(
  "an encrypted buffer shows nothing of its messages, and opens with its own key alone",
  SLOW,
  async () => {
    const site = await siteWithoutLake({ encryptionKeyFile: "buffer.key" });
    const key = await run("gateway", "buffer", "key");
    expect(key.stdout).toMatch(/^[\da-f]{64}\n$/);
    const keyFile = await site.write("buffer.key", key.stdout);
    chmodSync(keyFile, 0o644);
    const open = await run("gateway", "run", "--config", site.gatewayFile);
    expect(open).toMatchObject({ code: 2, stderr: expect.stringContaining("chmod 600") });
    expect(existsSync(join(site.dir, "buffer/segments"))).toBe(false);
    chmodSync(keyFile, 0o600);
    await publishSome(site, 2_000);
    const files = readdirSync(join(site.dir, "buffer"), { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile(),
    );
    for (const { parentPath, name } of files)
      expect(readFileSync(join(parentPath, name)).includes("pump-1")).toBe(false);
    const dir = join(site.dir, "buffer");
    expect(await run("gateway", "buffer", "verify", "--dir", dir)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("keys.buffer_missing"),
    });
    expect(await run("gateway", "buffer", "verify", "--dir", dir, "--key-file", keyFile)).toMatchObject({
      code: 0,
    });
    const other = await run("gateway", "buffer", "key");
    await site.write("buffer.key", other.stdout);
    const wrong = await run("gateway", "run", "--config", site.gatewayFile);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("keys.buffer_wrong") });
    await site.write("buffer.key", key.stdout);
    expect(await buffer(site, "verify")).toMatchObject({ code: 0 });
  },
);

test.each([
  ["inspect", []],
  ["verify", ["--dir", "/nowhere", "--config", "x.yaml"]],
  ["repair", ["--dir", "/nowhere"]],
  ["export", ["--dir", "/nowhere", "--from", "abc"]],
])("wrong usage of buffer %s ends with 2 and says what to do", async (command, args) => {
  expect(await run("gateway", "buffer", command, ...args)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/--config|--dir|whole numbers/),
  });
});
