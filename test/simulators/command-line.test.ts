import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startBroker } from "./fleet/broker.ts";
import type { TestBroker } from "./fleet/broker.ts";

const MAIN = join(import.meta.dirname, "../../simulators/main.ts");

let broker: TestBroker;
let dir: string;
beforeAll(async () => {
  broker = await startBroker();
  dir = mkdtempSync(join(tmpdir(), "sluice-sim-"));
});
afterAll(async () => {
  await broker.kill();
  rmSync(dir, { recursive: true });
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `sluice-sim`; `when` sees each line of standard output and may end the process as Ctrl-C would. */
function sim(
  args: readonly string[],
  when?: (line: string, interrupt: () => void) => void,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args], (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code ?? -1);
      resolve({ code, stdout, stderr });
    });
    child.stdout?.on("data", (text: string) => {
      for (const line of text.split("\n")) if (line !== "") when?.(line, () => child.kill("SIGINT"));
    });
  });
}

const file = (name: string, text: string): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};

test("help shows an example for every command, and wrong usage is exit code 2", async () => {
  const commands = ["plant", "replay", "load", "object-store"];
  const all = await sim(["--help"]);
  for (const command of commands) expect(all.stdout).toContain(command);
  const helps = await Promise.all(commands.map((command) => sim([command, "--help"])));
  for (const help of helps)
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining("Example") });
  const wrong = await Promise.all(
    [
      ["nonsense"],
      ["plant", "--pumps", "0"],
      ["plant", "--broker", "http://x"],
      ["load", "--qos", "2"],
      ["replay", "x.csv"],
      ["replay", "x.csv", "--map", join(dir, "none.yaml")],
      ["object-store", "--fault", "{}"],
    ].map((args) => sim(args)),
  );
  for (const outcome of wrong) expect(outcome).toMatchObject({ code: 2, stdout: "" });
}, 20_000);

test("a broker that is not reachable is one clear line and exit code 1", async () => {
  const gone = await startBroker();
  await gone.kill();
  const csv = file("one.csv", "t;a;b\n1;1;1\n");
  const map = file("one.yaml", mapYaml);
  const outcomes = await Promise.all(
    [["plant"], ["load"], ["replay", csv, "--map", map]].map((args) => sim([...args, "--broker", gone.url])),
  );
  for (const { code, stderr } of outcomes) {
    expect(code).toBe(1);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toContain(`broker at 127.0.0.1:${gone.port} is not reachable`);
  }
}, 20_000);

test("a plant publishes, breaks and is repaired on command, and goes on from its state", async () => {
  const [state, truth] = [join(dir, "plant.json"), join(dir, "truth.ndjson")];
  const args = ["plant", "--broker", broker.url, "--pumps", "2", "--interval-ms", "50", "--json"];
  const operator = await connectAsync(broker.url);
  const tell = (command: object): Promise<unknown> =>
    operator.publishAsync("plant/control", JSON.stringify(command), { qos: 1, retain: true });
  // Retained, so that it reaches the plant whenever it has subscribed.
  await tell({ command: "break", device: "pump-2", fault: "bearing", overS: 5 });
  const files = ["--state", state, "--truth", truth];
  const first = await sim([...args, ...files], (line, interrupt) => {
    const event: { event: string; command?: string } = JSON.parse(line);
    if (event.command === "break") void tell({ command: "repair", device: "pump-2" });
    if (event.command === "repair") interrupt();
  });
  await operator.publishAsync("plant/control", "", { qos: 1, retain: true });
  await operator.endAsync();
  expect(first).toMatchObject({ code: 0, stderr: "" });
  const last: Record<string, number> = JSON.parse(first.stdout.trimEnd().split("\n").at(-1) ?? "");
  expect(last).toMatchObject({ event: "stopped", unacknowledged: 0, shed: 0 });
  expect(last["acknowledged"]).toBe(last["sent"]);
  expect(JSON.parse(readFileSync(truth, "utf8"))).toMatchObject({
    device: "pump-2",
    label: "bearing_fault",
    from: expect.any(String),
    to: expect.any(String),
  });
  const steps = (): number => JSON.parse(readFileSync(state, "utf8")).steps;
  const before = steps();
  const second = await sim([...args, ...files, "--duration", "0.3", "--no-control"]);
  expect(second.code).toBe(0);
  expect(steps()).toBeGreaterThan(before);
  expect(await sim([...args, ...files, "--seed", "99"])).toMatchObject({ code: 2 });
}, 20_000);

const mapYaml = `
delimiter: ";"
time: { column: t, format: unix_s }
device: { file: "{name}" }
topic: lab/{device}/telemetry
metrics: { a: alpha, b: beta }
labels: [truth]
`;

test("a replay publishes each row once, keeps the labels to itself and writes them as the truth", async () => {
  const rows = Array.from({ length: 500 }, (_, i) => `${1_000 + i};${i};${-i};${i % 2}`);
  const csv = file("lab-1.csv", `t;a;b;truth\n${rows.join("\n")}\n`);
  const map = file("lab.yaml", mapYaml);
  const truth = join(dir, "lab.ndjson");
  const state = join(dir, "lab.json");
  broker.seen.length = 0;
  const args = ["replay", csv, "--map", map, "--broker", broker.url, "--speed", "0", "--json"];
  const outcome = await sim([...args, "--truth", truth, "--state", state]);
  expect(outcome.code).toBe(0);
  expect(JSON.parse(outcome.stdout)).toMatchObject({ files: 1, rows: 500, acknowledged: 500, badRows: 0 });
  expect(broker.seen.map(({ topic }) => topic)).toEqual(Array(500).fill("lab/lab-1/telemetry"));
  expect(broker.seen.map(({ payload }) => payload.toString())).toEqual(
    rows.map((_, i) => `{"ts":${(1_000 + i) * 1_000},"alpha":${i},"beta":${i === 0 ? 0 : -i}}`),
  );
  const lines = readFileSync(truth, "utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(500);
  expect(lines[1]).toBe('{"device":"lab-1","measuredAt":"1970-01-01T00:16:41.000Z","truth":"1"}');
  // Everything is done: going on publishes nothing.
  const again = await sim([...args, "--state", state]);
  expect(JSON.parse(again.stdout)).toMatchObject({ resumedAfter: 500, acknowledged: 0 });
  expect(broker.seen).toHaveLength(500);
}, 20_000);

test("a replay with bad rows publishes nothing and names them, unless it is told to skip them", async () => {
  const csv = file("bad.csv", "t;a;b\n1;1;1\n2;x;1\n3;1;1\nnever;1;1\n");
  const map = file("bad.yaml", mapYaml);
  broker.seen.length = 0;
  const args = ["replay", csv, "--map", map, "--broker", broker.url, "--speed", "0", "--json"];
  const refused = await sim(args);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain(`${csv}:3: column "a": "x" is not a number`);
  expect(refused.stderr).toContain(`${csv}:5: column "t": "never" is not a time as unix_s`);
  expect(refused.stderr).toContain("2 rows cannot be read; nothing was published");
  expect(broker.seen).toHaveLength(0);
  const skipped = await sim([...args, "--skip-bad"]);
  expect(skipped.code).toBe(0);
  expect(JSON.parse(skipped.stdout)).toMatchObject({ rows: 2, acknowledged: 2, badRows: 2 });
  expect(broker.seen).toHaveLength(2);
}, 20_000);

test("a replay that is interrupted goes on where it was, and every row arrives", async () => {
  const rows = Array.from({ length: 200 }, (_, i) => `${i};${i};0`);
  const csv = file("long.csv", `t;a;b\n${rows.join("\n")}\n`);
  const map = file("long.yaml", mapYaml);
  const state = join(dir, "long.json");
  broker.seen.length = 0;
  const args = ["replay", csv, "--map", map, "--broker", broker.url, "--state", state, "--json"];
  const running = new Promise<Outcome>((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...args, "--speed", "20"], (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
    const watch = (): void => {
      if (broker.seen.length >= 10) child.kill("SIGINT");
      else setImmediate(watch);
    };
    watch();
  });
  const first = await running;
  expect(first.code).toBe(1);
  const { acknowledged }: { acknowledged: number } = JSON.parse(first.stdout);
  expect(acknowledged).toBeLessThan(200);
  expect(broker.seen).toHaveLength(acknowledged);
  const second = await sim([...args, "--speed", "0"]);
  expect(second.code).toBe(0);
  expect(JSON.parse(second.stdout)).toMatchObject({ resumedAfter: acknowledged, rows: 200 });
  const values = broker.seen.map(({ payload }): number => JSON.parse(payload.toString()).alpha);
  expect(values).toEqual(rows.map((_, i) => i));
}, 20_000);

test("a load prints a table or JSON", async () => {
  const args = ["load", "--broker", broker.url, "--clients", "3", "--rate", "300", "--duration", "0.5"];
  const [table, json] = await Promise.all([
    sim([...args, "--client-prefix", "table-"]),
    sim([...args, "--json"]),
  ]);
  expect(table.code).toBe(0);
  expect(table.stdout).toMatch(/^acknowledged +150$/m);
  expect(table.stdout).toMatch(/^latency p99 +[\d.]+ ms$/m);
  expect(JSON.parse(json.stdout)).toMatchObject({ sent: 150, acknowledged: 150, unacknowledged: 0 });
}, 20_000);

test("the object store says where it is, and Ctrl-C stops it cleanly", async () => {
  const outcome = await sim(["object-store", "--port", "0", "--json"], (line, interrupt) => {
    const { event }: { event: string } = JSON.parse(line);
    if (event === "ready") interrupt();
  });
  expect(outcome).toMatchObject({ code: 0, stderr: "" });
  const [ready] = outcome.stdout.split("\n");
  expect(JSON.parse(ready ?? "")).toMatchObject({
    endpoint: expect.stringMatching(/^http:/),
    bucket: "lake",
  });
}, 20_000);
