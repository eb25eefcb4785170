import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type ProgramName, run } from "./programs.ts";

const PROGRAMS: readonly ProgramName[] = ["gateway", "cloud"];

async function temporaryFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-e2e-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function file(name: string, text: string): Promise<string> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, text);
  return path;
}

test.each(PROGRAMS)(
  "the sample settings of the %s pass its own check",
  async (program) => {
    const sample = await run(program, "config", "sample");
    expect(sample).toMatchObject({ code: 0, stderr: "" });
    const path = await file("sample.yaml", sample.stdout);
    expect(await run(program, "config", "check", path)).toEqual({
      code: 0,
      stdout: `${path}: in order\n`,
      stderr: "",
    });
  },
  30_000,
);

const WRONG_GATEWAY = `
gateway: "a b"
ingest: { broker: { port: 70000, hots: x } }
buffer: { dir: "" }
decode: { routes: [], payloadBytesMax: big }
models: { publicKeys: [] }
lake: { kind: ftp }
surprise: 1
`;

const WRONG_CLOUD = `
lake: { kind: s3, bucket: "", accessKeyId: key }
tables: { cacheDir: c, commitIntervalMs: 1 }
keys: { privateKey: k }
models:
  - name: Pump
  - name: pump
    view:
      name: v
      owner: o
      match: { deviceType: pump }
      window: { kind: tumbling, sizeMs: 1000 }
      inputs: { n: { metric: n } }
      features: [{ name: f, fn: medium, of: n }]
status: { prot: 1 }
`;

test.each([
  {
    program: "gateway",
    text: WRONG_GATEWAY,
    mistakes: [
      'gateway: "a b": 1 to 64 letters, digits, dots, dashes or underscores',
      /ingest\.broker\.port: 70000: .*<=65535/,
      "ingest.broker.hots: no such setting",
      /buffer\.dir: "": .*>=1/,
      /decode\.routes: \[\]: .*>=1/,
      /decode\.payloadBytesMax: "big": .*number/,
      /models\.publicKeys: \[\]: .*>=1/,
      /lake\.kind: "ftp": .*'folder' \| 's3'/,
      "surprise: no such setting",
    ],
  },
  {
    program: "cloud",
    text: WRONG_CLOUD,
    mistakes: [
      /lake\.bucket: "": .*>=1/,
      "lake.secretAccessKey: missing: give accessKeyId and secretAccessKey together, or neither",
      /tables\.commitIntervalMs: 1: .*>=100/,
      /keys\.publicKeys: missing: .*array/,
      /models\.0\.name: "Pump": a lower-case letter/,
      /models\.0\.view: missing/,
      /models\.1\.view\.features\.0\.fn: "medium": .*there are .*mean/,
      "status.prot: no such setting",
    ],
  },
] as const)(
  "a wrong file of the $program is answered with every mistake at once, each with its path, its value and what is allowed",
  async ({ program, text, mistakes }) => {
    const path = await file("wrong.yaml", text);
    const outcomes = await Promise.all([
      run(program, "config", "check", path),
      run(program, "run", "--config", path),
    ]);
    for (const { code, stdout, stderr } of outcomes) {
      expect(code).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toContain(`sluice-${program}: ${path}: ${mistakes.length} settings are wrong`);
      for (const mistake of mistakes) expect(stderr).toMatch(mistake);
      expect(stderr, "no stack traces").not.toMatch(/^\s+at /m);
    }
  },
  30_000,
);

test.each(PROGRAMS)(
  "wrong usage of the %s is one line that says what to do, and exit code 2",
  async (program) => {
    const broken = await file("broken.yaml", "lake: [1, {");
    const asked = [
      { args: ["run"], says: "--config" },
      { args: ["nonsense"], says: "nonsense" },
      { args: ["run", "--config", "none.yaml"], says: "cannot read none.yaml" },
      { args: ["config", "check", broken], says: "is not YAML" },
    ];
    const outcomes = await Promise.all(asked.map(({ args }) => run(program, ...args)));
    for (const [i, { code, stderr }] of outcomes.entries()) {
      expect.soft(stderr).toContain(asked[i]?.says);
      expect.soft({ args: asked[i]?.args, code }).toEqual({ args: asked[i]?.args, code: 2 });
    }
  },
  30_000,
);

test.each([
  ["quarantine", "show"],
  ["quarantine", "ls"],
  ["buffer", "inspect", "--nonsense"],
  ["buffer", "nonsense"],
  ["users", "add"],
  ["import"],
])("wrong usage of %s %s ends with exit code 2 as that of any command does", async (...args) => {
  const { code, stdout, stderr } = await run("gateway", ...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^error: (missing|unknown|required)/);
});

const COMMANDS: readonly (readonly [ProgramName, ...string[]])[] = [
  ["gateway", "run"],
  ["gateway", "status"],
  ["gateway", "users", "add"],
  ["gateway", "users", "remove"],
  ["gateway", "users", "ls"],
  ["gateway", "import"],
  ["gateway", "buffer", "inspect"],
  ["gateway", "buffer", "verify"],
  ["gateway", "buffer", "repair"],
  ["gateway", "buffer", "export"],
  ["gateway", "buffer", "key"],
  ["gateway", "quarantine", "ls"],
  ["gateway", "quarantine", "show"],
  ["gateway", "quarantine", "release"],
  ["gateway", "config", "sample"],
  ["gateway", "config", "check"],
  ["cloud", "run"],
  ["cloud", "commit"],
  ["cloud", "train"],
  ["cloud", "sql"],
  ["cloud", "verify"],
  ["cloud", "lake", "ls"],
  ["cloud", "lake", "show"],
  ["cloud", "lake", "history"],
  ["cloud", "compact"],
  ["cloud", "retain"],
  ["cloud", "vacuum"],
  ["cloud", "features", "ls"],
  ["cloud", "features", "show"],
  ["cloud", "features", "diff"],
  ["cloud", "features", "lint"],
  ["cloud", "features", "backfill"],
  ["cloud", "features", "join"],
  ["cloud", "features", "verify"],
  ["cloud", "keys"],
  ["cloud", "config", "sample"],
  ["cloud", "config", "check"],
];

test("the help of every command shows an example", async () => {
  for (const program of PROGRAMS) {
    const own = COMMANDS.filter(([name]) => name === program).map(([, ...words]) => words);
    const all = await run(program, "--help");
    const listed = [...all.stdout.matchAll(/^ {2}([a-z-]+) (?:\[|<| {2})/gm)].map(([, name]) => name);
    expect(listed.filter((name) => name !== "help")).toEqual([...new Set(own.map(([name]) => name))]);
    for (const help of await Promise.all(own.map((words) => run(program, ...words, "--help")))) {
      expect(help).toMatchObject({ code: 0, stderr: "" });
      expect(help.stdout).toMatch(new RegExp(`Examples?:\\n  (?:.umask 077; )?sluice-${program} `));
    }
  }
}, 90_000);
